"""Progress of a search on standard error: one live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

if TYPE_CHECKING:
    # Only for types: photos are shown before Optuna is loaded.
    from search.run.ended_trials import EndedTrial
    from search.run.ledger import Ledger
    from search.run.trial_rows import OpenTrial
    from search.tune.resources import Slots


class Progress:
    """Shows how the photos are read and how the trials go."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._ledger: Ledger | None = None
        self._slots: Slots | None = None
        self._live: Live | None = None
        self._epochs: dict[str, int] = {}
        self._noted = False
        self._epochs_done = 0
        self._seconds_done = 0.0
        self._started = 0.0

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(Text(text))

    @contextmanager
    def photos(self) -> Iterator[Callable[[int, int], None]]:
        """Show how many photos are read; yields what to call with (done, total)."""
        if not self.console.is_terminal:
            yield lambda done, total: None
            return
        bar = RichProgress(
            TextColumn("reading photos"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        with bar:
            task = bar.add_task("photos", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    @contextmanager
    def trials(self, ledger: Ledger, slots: Slots) -> Iterator[None]:
        """Show the state of the search while the context lasts."""
        self._ledger, self._slots, self._started = ledger, slots, time.monotonic()
        if not self.console.is_terminal:
            yield
            return
        with Live(
            get_renderable=self._line, console=self.console, refresh_per_second=4, transient=True
        ) as self._live:
            yield
        self._live = None

    def on_start(self, opened: OpenTrial) -> None:
        """A trial was asked for."""
        self._epochs[opened.trial_id] = opened.reported_epoch

    def on_report(self, trial_id: str, report: dict[str, Any]) -> None:
        """A trial validated an epoch."""
        if "epoch" in report:
            self._epochs_done += max(0, report["epoch"] - self._epochs.get(trial_id, 0))
            self._epochs[trial_id] = report["epoch"]
        if "note" in report and not self._noted:
            self._noted = True  # each process of a trial comes with the same
            self.say(f"trial {trial_id}: {report['note']}")

    def on_end(self, ended: EndedTrial) -> None:
        """A trial ended: one line, kept."""
        assert self._ledger is not None
        self._epochs.pop(ended.trial_id, None)
        n, total = len(self._ledger.ended), self._ledger.total
        metric = self._ledger.objective.metric
        value = "" if ended.value is None else f"  {metric} {ended.value:.4g}"
        guard = "" if ended.feasible or ended.value is None else "  (breaks a guard)"
        reason = f"  {ended.reason}" if ended.value is None else ""
        best = self._ledger.best
        crown = "  best so far" if best is not None and best.trial_id == ended.trial_id else ""
        self.say(
            f"[{n}/{total}] trial {ended.trial_id} {ended.state}{value}{guard}{reason}"
            f"  {ended.seconds:.0f} s{crown}"
        )

    def _line(self) -> Text:
        assert self._ledger is not None
        assert self._slots is not None
        ledger = self._ledger
        done, total = len(ledger.ended), ledger.total
        running = "  ".join(
            f"{trial_id} {epoch}/{ledger.config.max_epochs}"
            for trial_id, epoch in sorted(self._epochs.items())
        )
        parts = [f"{done}/{total} trials", f"running {running or 'none yet'}"]
        if best := ledger.best:
            parts.append(f"best {ledger.objective.metric} {best.value:.4g} ({best.trial_id})")
        if left := self._seconds_left(done, total):
            parts.append(f"about {duration(left)} left")
        return Text(" · ".join(parts), no_wrap=True, overflow="ellipsis")

    def _seconds_left(self, done: int, total: int) -> float | None:
        """Extrapolate from this session's pace; trials that stop early make it pessimistic."""
        assert self._ledger is not None
        elapsed = time.monotonic() - self._started
        if not self._epochs_done:
            return None
        ended = self._ledger.ended
        per_trial = ended.seconds / len(ended) if ended else None
        if per_trial and self._slots:
            return per_trial * (total - done) / self._slots.concurrency
        epochs = total * self._ledger.config.max_epochs
        return elapsed * max(0, epochs - self._epochs_done) / self._epochs_done


def duration(seconds: float) -> str:
    """A length of time for people."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
