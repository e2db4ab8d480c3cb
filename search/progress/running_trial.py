"""A trial that runs, as the live lines show it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.training.epoch_progress import EpochProgress, read_progress
from search.progress.time_left import LEAST_SAVED_SEC, rough

if TYPE_CHECKING:
    from models.training.report import EpochReport


class RunningTrial:
    """What the driver was told of a trial, and what the trial's own file says of its epoch."""

    def __init__(self, folder: Path, *, begun: int, repeat: bool, shared: int = 0) -> None:
        self._folder = folder
        #: what an interrupted search or a process that died left there
        self._stale = read_progress(folder)
        self._progress: EpochProgress | None = None
        #: whole epochs when it started or was taken up again, and when it reported last
        self.begun = self.reported = begun
        self._repeat = repeat
        self._shared_before = self._shared = shared
        self._seconds_saved = 0.0

    def report(self, report: EpochReport) -> None:
        """Take note of an epoch that it has reported."""
        self.reported = report.epoch
        self._shared, self._seconds_saved = report.shared_epochs, report.seconds_saved

    @property
    def taken(self) -> int:
        """Epochs since it started that came from a shared beginning, in next to no time."""
        return self._shared - self._shared_before

    def read(self) -> None:
        """Look how far its epoch has come."""
        progress = read_progress(self._folder)
        if progress is not None and progress != self._stale:
            self._progress = progress

    @property
    def epochs(self) -> float:
        """Epochs trained so far, the present one as a fraction."""
        progress = self._progress
        if progress is None or progress.epoch != self.reported:
            return self.reported
        return progress.epochs

    def epochs_left(self, usual: float, max_epochs: int) -> float:
        """Epochs to come; `usual` is how many a trial trains before it is stopped early."""
        whole = max_epochs if self._repeat or self.epochs >= usual else usual
        return max(0.0, whole - self.epochs)

    def describe(self, max_epochs: int) -> str:
        """Epoch, step and losses in a few words."""
        progress = self._progress
        if progress is None and not self._shared:
            return "starting"
        epoch = f"epoch {min(self.reported + 1, max_epochs)}/{max_epochs}"
        if self._shared:
            epoch += "  goes on from a shared beginning"
            if self._seconds_saved >= LEAST_SAVED_SEC:
                epoch += f", saved {rough(self._seconds_saved)}"
        # Its epoch is reported, and the next one has not begun.
        if progress is None or progress.epoch < self.reported:
            return epoch
        return f"{epoch}  {progress.describe()}"
