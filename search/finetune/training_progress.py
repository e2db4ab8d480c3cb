"""Progress of one training on standard error: a live line in a terminal, a line for each epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from models.training.report import EpochReport, LossRow
from models.training.trial import TrialTraining
from search.cli.progress import Progress, duration


class TrainProgress:
    """Shows how a training goes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._trial: TrialTraining | None = None
        #: (epochs, clock in seconds) when the context was entered and at the last window
        self._begun = self._reached = (0.0, 0.0)
        self._seconds = 0.0
        self._window: LossRow | None = None

    @contextmanager
    def epochs(self, trial: TrialTraining) -> Iterator[None]:
        """Show the state of the training while the context lasts."""
        self._trial, self._seconds = trial, trial.seconds
        self._begun = self._reached = (float(trial.training.epoch), time.monotonic())
        console = self._progress.console
        if not console.is_terminal:
            yield
            return
        with Live(get_renderable=self._line, console=console, refresh_per_second=4, transient=True):
            yield

    def on_window(self, window: LossRow) -> None:
        """Some training steps were done; `window` is their row of losses."""
        self._window = window
        self._reached = (window["epoch"] or 0.0, time.monotonic())

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

    def _line(self) -> Text:
        assert self._trial is not None
        trial, window = self._trial, self._window
        done, now = self._reached
        parts = [f"epoch {done:.2f} of {trial.max_epochs}"]
        if window:
            parts.append(f"reconstruction {window['reconstruction_ema']:.4g}")
            if window.get("adversarial_ema") is not None:
                parts.append(f"adversarial {window['adversarial_ema']:.4g}")
        if trial.best:
            metric = trial.objective.metric
            parts.append(f"best {metric} {trial.best.metrics[metric]:.4g}")
        epochs_before, began = self._begun
        if done > epochs_before:
            pace = (now - began) / (done - epochs_before)
            parts.append(f"about {duration(pace * (trial.max_epochs - done))} left")
        return Text(" · ".join(parts), no_wrap=True, overflow="ellipsis")
