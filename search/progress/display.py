"""Progress of a search on standard error: live lines in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.status import Status
from rich.text import Text

from search.progress.running_trial import RunningTrial
from search.progress.time_left import TimeLeft, is_worth_saying, rough

if TYPE_CHECKING:
    # Only for types: photos are shown before Optuna is loaded.
    from search.run.ended_trials import EndedTrial
    from search.run.ledger import Ledger
    from search.run.trial_rows import OpenTrial
    from search.tune.messages import EpochDone

#: trials that run on a cluster beyond these are only counted
MAX_LINES = 8


class Progress:
    """Shows how a search starts, how the photos are read and how the trials go.

    A context: what it shows live has gone at its end.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._ledger: Ledger | None = None
        #: before the last trial ended
        self._running: dict[str, RunningTrial] = {}
        #: the live lines are drawn by a thread of their own
        self._lock = threading.Lock()
        self._noted = False
        #: trained in this session by trials that do not run any more, and how many of them ended
        self._epochs_done = 0.0
        self._n_ended = 0
        self._time_left = TimeLeft()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_waiting()

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(Text(text))

    def wait_for(self, what: str) -> None:
        """Show that something goes on, until `photos` or `trials` have more to show."""
        if not self.console.is_terminal:
            return
        if self._status is None:
            self._status = Status(what, console=self.console)
            self._status.start()
        else:
            self._status.update(what)

    def stop_waiting(self) -> None:
        """End what `wait_for` shows."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    @contextmanager
    def photos(self) -> Iterator[Callable[[int, int], None]]:
        """Show how many photos are read; yields what to call with (done, total)."""
        self.stop_waiting()
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
    def trials(self, ledger: Ledger) -> Iterator[None]:
        """Show the state of the search while the context lasts."""
        self._ledger = ledger
        with self.live(self._lines):
            yield

    @contextmanager
    def live(self, render: Callable[[], RenderableType]) -> Iterator[None]:
        """Show what `render` returns, again and again, while the context lasts."""
        self.stop_waiting()
        if not self.console.is_terminal:
            yield
            return
        with Live(
            get_renderable=render, console=self.console, refresh_per_second=4, transient=True
        ):
            yield

    def on_start(self, trial: OpenTrial) -> None:
        """A trial was asked for, or continued."""
        assert self._ledger is not None
        folder = self._ledger.run.trial_folder(trial.trial_id)
        with self._lock:
            self._leave(trial.trial_id)
            self._running[trial.trial_id] = RunningTrial(
                folder,
                begun=trial.reported_epoch,
                repeat=trial.repeat_of is not None,
                shared=trial.report.shared_epochs if trial.report else 0,
            )

    def on_epoch(self, trial_id: str, message: EpochDone) -> None:
        """A trial validated an epoch."""
        with self._lock:
            if running := self._running.get(trial_id):
                running.report(message.report)
        if message.note and not self._noted:
            self._noted = True  # each process of a trial comes with the same
            self.say(f"trial {trial_id}: {message.note}")

    def on_end(self, ended: EndedTrial) -> None:
        """A trial ended: one line, kept."""
        assert self._ledger is not None
        with self._lock:
            self._leave(ended.trial_id)
            self._n_ended += 1
        n, total = len(self._ledger.ended), self._ledger.total
        metric = self._ledger.objective.metric
        value = "" if ended.value is None else f"  {ended.describe_value(metric)}"
        guard = "" if ended.feasible or ended.value is None else "  (breaks a guard)"
        reason = f"  {ended.reason}" if ended.value is None else ""
        saved = ""
        if is_worth_saying(ended.seconds_saved, trained=ended.seconds):
            saved = f" after a shared beginning, saved {rough(ended.seconds_saved)}"
        self.say(
            f"[{n}/{total}] trial {ended.trial_id} {ended.state}{value}{guard}{reason}"
            f"  {ended.seconds:.0f} s{saved}{self._crown(ended)}"
        )

    def _crown(self, ended: EndedTrial) -> str:
        """Whether a trial is the best so far."""
        assert self._ledger is not None
        best = self._ledger.best
        return "  best so far" if best and best.trial_id == ended.trial_id else ""

    def _leave(self, trial_id: str) -> None:
        if running := self._running.pop(trial_id, None):
            self._epochs_done += running.reported - running.begun - running.taken

    def _lines(self) -> Group:
        assert self._ledger is not None
        ledger = self._ledger
        parts = [f"{len(ledger.ended)}/{ledger.total} trials"]
        if best := ledger.best:
            guard = "" if best.feasible else ", which breaks a guard"
            value = best.describe_value(ledger.objective.metric)
            parts.append(f"best {value} by {best.trial_id}{guard}")
        with self._lock:
            for trial in self._running.values():
                trial.read()
            if (left := self._seconds_left()) is not None:
                parts.append(f"about {rough(left)} left")
            shown = sorted(self._running)[:MAX_LINES]
            lines = [
                f"  {trial_id}  {self._running[trial_id].describe(ledger.config.max_epochs)}"
                for trial_id in shown
            ]
            if more := len(self._running) - len(shown):
                lines.append(f"  and {more} more")
        whole = [" · ".join(parts), *(lines or ["  starting"])]
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in whole))

    def _seconds_left(self) -> float | None:
        """From the pace of this session and the epochs that trials have needed in it."""
        assert self._ledger is not None
        ledger, config = self._ledger, self._ledger.config
        running = self._running.values()
        done = self._epochs_done + sum(
            trial.epochs - trial.begun - trial.taken for trial in running
        )
        # Before there are any, and when all were stopped early by chance, a trial is a long one.
        usual = (config.max_epochs + self._epochs_done) / (1 + self._n_ended)
        to_come = ledger.total - len(ledger.ended) - len(running)
        repeats = min(to_come, config.finalists * config.repeats - ledger.ended.repeated)
        left = sum(trial.epochs_left(usual, config.max_epochs) for trial in running)
        left += (to_come - repeats) * usual + repeats * config.max_epochs
        return self._time_left.update(done=done, left=left)
