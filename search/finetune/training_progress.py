"""Progress of one training on standard error: a live line in a terminal, a line for each epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout

from rich.text import Text

from models.training.epoch_progress import EpochProgress
from models.training.report import EpochReport
from models.training.trial import TrialTraining
from search.progress.display import Progress
from search.progress.time_left import TimeLeft, rough


class TrainProgress:
    """Shows how a training goes."""

    def __init__(
        self, progress: Progress, listener: Callable[[EpochReport], None] | None = None
    ) -> None:
        """`listener` hears of each epoch, with standard output as it is now."""
        self._progress = progress
        self._listener, self._stdout = listener, sys.stdout
        #: what the listener has raised
        self.error: Exception | None = None
        self._trial: TrialTraining | None = None
        self._begun = 0
        self._seconds = 0.0
        self._reached: EpochProgress | None = None
        self._time_left = TimeLeft()

    @contextmanager
    def epochs(self, trial: TrialTraining) -> Iterator[None]:
        """Show the state of the training while the context lasts."""
        self._trial, self._seconds, self._begun = trial, trial.seconds, trial.training.epoch
        with self._progress.live(self._line):
            yield

    def on_step(self, reached: EpochProgress) -> None:
        """A training step was done."""
        self._reached = reached

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch was trained and validated: one line, kept."""
        assert self._trial is not None
        metric = self._trial.objective.metric
        seconds, self._seconds = report.seconds - self._seconds, report.seconds
        losses = [
            f"{name} {value:.4g}"
            for name in ("reconstruction", "adversarial")
            if (value := report.windows[-1].get(f"{name}_ema")) is not None
        ]
        notes = "" if report.feasible else "  (breaks a guard)"
        if report.best_epoch == report.epoch:
            notes += "  best so far"
        self._progress.say(
            f"[{report.epoch}/{self._trial.max_epochs}] {metric} "
            f"{report.metrics[metric]:.4g}  {'  '.join(losses)}  {seconds:.0f} s{notes}"
        )
        self._call_listener(report)

    def say(self, text: str) -> None:
        """Print a line."""
        self._progress.say(text)

    def _call_listener(self, report: EpochReport) -> None:
        if self._listener is None:
            return
        try:
            with redirect_stdout(self._stdout):
                self._listener(report)
        except Exception as error:
            self.error = error
            raise

    def _line(self) -> Text:
        assert self._trial is not None
        trial, reached = self._trial, self._reached
        if reached is None:
            return Text("starting")
        parts = [f"epoch {reached.epoch + 1}/{trial.max_epochs}  {reached.describe()}"]
        if trial.best:
            metric = trial.objective.metric
            parts.append(f"best {metric} {trial.best.metrics[metric]:.4g}")
        done = reached.epochs
        left = self._time_left.update(done=done - self._begun, left=trial.max_epochs - done)
        if left is not None:
            parts.append(f"about {rough(left)} left")
        return Text(" · ".join(parts), no_wrap=True, overflow="ellipsis")
