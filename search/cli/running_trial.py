"""A trial that runs, as the live lines show it."""

from __future__ import annotations

from pathlib import Path

from models.training.epoch_progress import EpochProgress, read_progress


class RunningTrial:
    """What the driver was told of a trial, and what the trial's own file says of its epoch."""

    def __init__(self, folder: Path, *, begun: int, repeat: bool) -> None:
        self._folder = folder
        #: what an interrupted search or a process that died left there
        self._stale = read_progress(folder)
        self._progress: EpochProgress | None = None
        #: whole epochs when it started or was taken up again, and when it reported last
        self.begun = self.reported = begun
        self._repeat = repeat

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
        if progress is None:
            return "starting"
        epoch = f"epoch {min(self.reported + 1, max_epochs)}/{max_epochs}"
        # Its epoch is reported, and the next one has not begun.
        return epoch if progress.epoch < self.reported else f"{epoch}  {progress.describe()}"
