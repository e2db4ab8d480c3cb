"""What a trial says after each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

#: a row of curves.jsonl: means over a window of steps; None where nothing took part
LossRow = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """How a trial stands after an epoch. It crosses processes and is kept in checkpoints."""

    #: epochs, steps and images trained so far
    epoch: int
    step: int
    images: int
    #: training and validation so far
    seconds: float
    #: the rows of losses of this epoch
    windows: list[LossRow]
    #: the validation metrics of this epoch
    metrics: dict[str, float]
    #: whether they satisfy the guards
    feasible: bool
    #: the epoch with the best metrics so far, and these
    best_epoch: int
    best_metrics: dict[str, float]
    #: whether it was the last epoch
    done: bool
    #: how often the discriminator finds an unseen photo more real than an output, after this epoch;
    #: None where it has not learnt in it
    discriminator_auc: float | None = None
    #: epochs that another trial had trained, and the seconds that it had taken for them
    shared_epochs: int = 0
    seconds_saved: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, which JSON and `torch.load(weights_only=True)` can hold."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned; raises TypeError when a key is missing or unknown."""
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class BestEpoch:
    """The epoch of a trial whose generator is kept."""

    epoch: int
    metrics: dict[str, float]
