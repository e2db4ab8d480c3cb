"""How far an epoch has come, and the small file through which another process sees it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from models.file_names import PROGRESS

#: seconds between two writes: the file is for people, who read no faster
WRITE_EVERY_SEC = 1.0


@dataclass(frozen=True, kw_only=True)
class EpochProgress:
    """A training in the midst of an epoch."""

    #: whole epochs before this one
    epoch: int
    #: steps of this epoch that are done, of so many; after the last one comes the validation
    step: int
    steps: int
    #: moving averages of the losses at the end of the last window, null where there is none yet
    reconstruction: float | None
    adversarial: float | None

    @property
    def epochs(self) -> float:
        """Epochs trained so far, this one as a fraction."""
        return self.epoch + self.step / self.steps

    def describe(self) -> str:
        """Step and losses in a few words."""
        words = [f"step {self.step}/{self.steps}" if self.step < self.steps else "validating"]
        for name in ("reconstruction", "adversarial"):
            if (loss := getattr(self, name)) is not None:
                words.append(f"{name} {loss:.3g}")
        return "  ".join(words)

    def to_json(self) -> bytes:
        """What `from_json` reads."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read what `to_json` made; raises ValueError or TypeError for anything else."""
        return cls(**json.loads(content))


class ProgressFile:
    """Call it after each step: it writes the file when the last one is a second old."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = -WRITE_EVERY_SEC

    def __call__(self, progress: EpochProgress) -> None:
        """Show a step; not synced, as it is worth nothing a second later."""
        now = time.monotonic()
        if now - self._written < WRITE_EVERY_SEC and progress.step < progress.steps:
            return
        self._written = now
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        temporary.write_bytes(progress.to_json())
        temporary.replace(self._path)


def read_progress(folder: Path) -> EpochProgress | None:
    """How far the trial in `folder` has come within its epoch; None when nobody has said yet."""
    try:
        return EpochProgress.from_json((folder / PROGRESS).read_bytes())
    except (OSError, ValueError, TypeError):
        return None
