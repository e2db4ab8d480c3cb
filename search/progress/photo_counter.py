"""How far the colouring of photos is, and the time left: a line in a terminal, a log elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from search.progress.time_left import TimeLeft, rough

if TYPE_CHECKING:
    from models.colorize.paths import PhotoResult

#: outside a terminal a line is written so often: a quick folder leaves none
LOG_EVERY_SEC = 30.0


class PhotoCounter:
    """Shows photos that are done, of how many; a context, after which the live line has gone."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._clock = clock
        self._time_left = TimeLeft(clock)
        self._n_made = 0
        self._logged_at = clock()
        self._bar = Progress(
            TextColumn("colorizing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, result: PhotoResult, n_done: int, n_total: int) -> None:
        """Take one more photo. Those that were there already say nothing of the time left."""
        self._n_made += not result.existed
        seconds = self._time_left.update(done=self._n_made, left=n_total - n_done)
        left = "" if seconds is None or n_done == n_total else f"about {rough(seconds)} left"
        self._bar.update(self._task, completed=n_done, total=n_total, left=left)
        now = self._clock()
        if not self._console.is_terminal and now - self._logged_at >= LOG_EVERY_SEC:
            self._logged_at = now
            words = f"{n_done} of {n_total} photos" + (f", {left}" if left else "")
            self._console.print(words)
