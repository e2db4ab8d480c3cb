"""Ctrl-C and SIGTERM: both end a command at once, and neither can get lost on the way.

A KeyboardInterrupt that is raised inside a callback of a C library or a destructor is swallowed
there, and one that is raised while a library holds a lock may leave it locked for ever. So the wish
is remembered, and long-running loops ask for it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_requested = False
_deferred = False


@contextmanager
def installed(
    numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> Iterator[None]:
    """Take the signals for the time of the block; on another thread than the main one, none."""
    global _requested
    _requested = False
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def of_caller() -> Sequence[signal.Signals]:
    """What a function that a program calls may take: Ctrl-C, unless the program handles it."""
    here = threading.current_thread() is threading.main_thread()
    default = here and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return (signal.SIGINT,) if default else ()


def requested() -> bool:
    """Whether the command was asked to end."""
    return _requested


def check() -> None:
    """Raise KeyboardInterrupt if the command was asked to end."""
    if _requested:
        raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[None]:
    """Let the first signal wait for the next `check`; a second one does not wait."""
    global _deferred
    check()
    _deferred = True
    try:
        yield
    finally:
        _deferred = False
    check()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    global _requested
    again, _requested = _requested, True
    if again or not _deferred:
        raise KeyboardInterrupt
