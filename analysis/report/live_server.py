"""Serves the report of a running search at an address of this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plotly.offline import get_plotlyjs

from analysis.report.live_page import LivePage
from analysis.stored_run.run_folder_error import RunFolderError

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
_HTML, _SCRIPT, _JSON = (
    f"{kind}; charset=utf-8" for kind in ("text/html", "text/javascript", "application/json")
)


def serve_live(page: LivePage, *, port: int, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve `page` on the loopback address until interrupted.

    Args:
        page: the report, and how the search stands.
        port: to listen on, 0 for any free one.
        on_ready: called with the page's address once it answers.

    Raises RunFolderError when the port is taken or is none.
    """
    try:
        server = _LiveServer(page, port)
    except (OSError, OverflowError) as error:
        raise RunFolderError(
            f"the live report needs a free port, but {HOST}:{port} cannot be bound ({error}); "
            "choose another with --port, 0 for any"
        ) from error
    with server:
        if on_ready is not None:
            on_ready(f"http://{HOST}:{server.server_port}/")
        server.serve_forever()


class _LiveServer(ThreadingHTTPServer):
    daemon_threads = True
    # Else a second server would share the port without a word, where Python has it on.
    allow_reuse_port = False

    def __init__(self, page: LivePage, port: int) -> None:
        super().__init__((HOST, port), _LiveHandler)
        self.page = page

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that has gone before its answer came."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _LiveHandler(BaseHTTPRequestHandler):
    server: _LiveServer

    def do_GET(self) -> None:
        """Answer a reading request; there are no others."""
        # A page of another site must not reach a local server under a name of its own.
        if (self.headers.get("Host") or HOST).rsplit(":", 1)[0] not in _NAMES:
            self.send_error(HTTPStatus.FORBIDDEN, f"this page answers to {HOST} only")
            return
        page = self.server.page
        match self.path.partition("?")[0]:
            case "/" | "/page":
                self._answer(page.html(), _HTML)
            case "/state":
                now = page.now()
                self._answer(json.dumps({"version": now.version, "html": now.state_html}), _JSON)
            case "/plotly.js":
                self._answer(get_plotlyjs(), _SCRIPT, cache="max-age=3600")
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal calm."""

    def _answer(self, text: str, kind: str, *, cache: str = "no-store") -> None:
        content = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", cache)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)
