"""optuna-dashboard on a run's study, read-only, while the search runs or afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from analysis.stored_run.run import Run
from analysis.stored_run.run_files import LocalFolder
from analysis.stored_run.run_folder_error import RunFolderError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    run: Run,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard until interrupted.

    Args:
        run: a run on this machine.
        host: address to bind to; the default is reachable from this machine alone.
        port: to listen on, 0 for any free one.
        on_ready: called with the dashboard's address once it answers.

    Raises:
        RunFolderError: optuna-dashboard is not installed, the run is remote or without a study, or
            the port is taken.
    """
    app = dashboard_app(run, host=host)
    try:
        server = make_server(host, port, app, _Server, _Handler)
    except (OSError, OverflowError) as error:
        raise RunFolderError(
            f"the dashboard needs a free port, but {host}:{port} cannot be bound ({error}); "
            f"choose another port"
        ) from error
    with server:
        if on_ready is not None:
            on_ready(f"http://{host}:{server.server_port}/")
        server.serve_forever()


def dashboard_app(run: Run, *, host: str = "127.0.0.1") -> WSGIApplication:
    """The dashboard as a WSGI application that answers reading requests only."""
    if not isinstance(run.folder, LocalFolder):
        raise RunFolderError(
            f"the dashboard needs a run on this machine, but got {run.folder.location}; copy it"
        )
    try:
        from optuna_dashboard import wsgi
    except ModuleNotFoundError as error:
        raise RunFolderError(
            "the dashboard needs the package optuna-dashboard, but it is not installed; "
            "install it with: pip install 'chromatune[dashboard]'"
        ) from error
    from analysis.optuna_view.read_only_storage import PictureStore, RunStorage
    from analysis.optuna_view.study_database import ArtifactFolder, open_study_database

    folder = run.folder.path
    inner: Any
    if isinstance(address := run.config.get("storage"), str):
        database = open_study_database(address, run.name, folder)
        inner = wsgi(database, artifact_store=ArtifactFolder(folder))
    else:
        inner = wsgi(RunStorage(folder), artifact_store=PictureStore(folder))

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _refuse(start_response, "this dashboard only reads: the study belongs to a run")
        # A page of another site must not reach a local server under a name of its own.
        name = environ.get("HTTP_HOST", host).rsplit(":", 1)[0].strip("[]")
        if host in _LOOPBACK and name not in _LOOPBACK:
            return _refuse(start_response, f"this dashboard answers to {host} only")
        answer: Iterable[bytes] = inner(environ, start_response)
        return answer

    return app


def _refuse(start_response: StartResponse, reason: str) -> Iterable[bytes]:
    start_response("403 Forbidden", [("Content-Type", "application/json")])
    return [json.dumps({"reason": reason}).encode()]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal calm."""
