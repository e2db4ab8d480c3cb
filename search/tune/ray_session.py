"""Ray for the time of a search: started here or joined, and left as it was where it ran already.

With it come the environment, standard output and log levels that a search needs. All of them are
the caller's again afterwards, since a search may be started from within a Python program.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from importlib import import_module

from data_pipeline.parallel import THREAD_ENVIRONMENT
from search.tune.cluster.joining import join
from search.tune.cluster.ray_internals import no_cluster_services

OBJECT_STORE_BYTES = 256 * 1024**2

#: settings of Ray and Torch that are read when these are imported, by the driver and by workers
_ENVIRONMENT = {
    # The command line handles signals; Ray's handlers would print stack traces.
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # The ledger is what a search resumes from; Tune's own snapshots and logs would only cost time.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Paths of a search stay relative to where it was started.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # One for each core would start with Ray and none be used: Tune gives trials an environment of
    # their own, and with it processes of their own.
    "RAY_prestart_worker_first_driver": "0",
    # Operators that an Apple GPU lacks run on the CPU.
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
    **THREAD_ENVIRONMENT,
}
#: whether the session that is open is one of a search, and not of the program that called it
_OURS = ContextVar("_OURS", default=False)
#: what these say of a failure, a search says in its own words
_LOGGERS = ("ray.tune", "ray.train")


@contextmanager
def ray_session(address: str | None, device: str) -> Iterator[None]:
    """Ray on this machine, or the cluster at `address`, for the time of the block.

    A session that the caller has opened before is used as it is and stays open; where that leaves
    an `address` unused, standard error gets a line about it.

    Raises InputError when there is no such cluster or it does not fit (see `cluster.joining.join`).
    """
    environment = dict(_ENVIRONMENT)
    if address is None:
        # Without clusters, as it is on a Mac, all of Ray listens on the loopback address alone.
        environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # Ray prints what happens to machines of a cluster, until it is shut down; that is not for
    # standard output.
    with _environment(environment), _signals(), _log_levels(), redirect_stdout(sys.stderr):
        import ray

        if ray.is_initialized():
            if address is not None and not _OURS.get():
                print(
                    f"this program has a Ray session open, which the search uses instead of "
                    f"--address {address}; call ray.shutdown() before it to join that",
                    file=sys.stderr,
                )
            yield
            return
        token = _OURS.set(True)
        try:
            _start(address, device)
            yield
        finally:
            _OURS.reset(token)
            ray.shutdown()


def _start(address: str | None, device: str) -> None:
    # Ray takes SIGTERM, which the command line handles.
    with _signals():
        if address is not None:
            join(address, device=device, environment=_ENVIRONMENT)
            return
        import ray

        # Workers of a local cluster inherit the environment; a `runtime_env` costs them seconds.
        with no_cluster_services(), _importing("search.run.ledger"):
            ray.init(
                # A stray cluster address in the environment must not take a local search elsewhere.
                "local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )


@contextmanager
def _importing(module: str) -> Iterator[None]:
    """Import a module of ours, and with it Torch, while Ray's servers start.

    Nothing of Ray's may be among what it imports: two threads would meet in Ray's packages.
    """

    def import_it() -> None:
        with suppress(Exception):  # whoever needs it gets the error
            import_module(module)

    thread = threading.Thread(target=import_it, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def _environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Variables for the time of the block, after which also those are gone that Ray has set."""
    before = dict(os.environ)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _signals() -> Iterator[None]:
    """Put the handlers back that Ray (SIGTERM) and Tune (SIGUSR1) replace on the main thread."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def _log_levels() -> Iterator[None]:
    # `ray` itself gets a level from `ray.init`.
    before = {name: logging.getLogger(name).level for name in ("ray", *_LOGGERS)}
    for name in _LOGGERS:
        traced = os.environ.get("CHROMATUNE_TRACEBACK")
        logging.getLogger(name).setLevel(logging.ERROR if traced else logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
