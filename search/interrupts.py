"""Ctrl-C and SIGTERM: both end a command at once, and neither can get lost on the way.

A KeyboardInterrupt that is raised inside a callback of a C library or a destructor is swallowed
there. So the wish is remembered, and long-running loops ask for it.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

_requested = False


def install() -> None:
    """Take both signals; call it from the main thread."""
    global _requested
    _requested = False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def check() -> None:
    """Raise KeyboardInterrupt if the command was asked to end."""
    if _requested:
        raise KeyboardInterrupt


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    global _requested
    _requested = True
    raise KeyboardInterrupt
