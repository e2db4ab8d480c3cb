"""Watches the head of a cluster, without which Ray ends this process in words of its own.

Ray waits a minute for a lost head to come back and then terminates the process from within its C++
code: no exception, no clean-up. So somebody must notice a little earlier.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: a head that has not answered for so long is gone; Ray itself gives up after 60 s
PATIENCE_SEC = 50.0
INTERVAL_SEC = 3.0
CONNECT_TIMEOUT_SEC = 5.0


@contextmanager
def watch_head(
    address: str, on_lost: Callable[[str], None], *, patience_sec: float = PATIENCE_SEC
) -> Iterator[None]:
    """Call `on_lost` with a reason, on another thread, once HOST:PORT is gone; watch until the end.

    `on_lost` has a few seconds; then Ray ends the process.
    """
    over = threading.Event()

    def watch() -> None:
        answered = time.monotonic()
        while not over.wait(min(INTERVAL_SEC, patience_sec / 3)):
            if _answers(address):
                answered = time.monotonic()
            elif time.monotonic() - answered >= patience_sec:
                on_lost(
                    f"the head of the cluster must answer, but {address} has not done so for "
                    f"{patience_sec:.0f} s; start the cluster again"
                )
                return

    threading.Thread(target=watch, name="head-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_SEC):
            return True
    except OSError:
        return False
