"""What a tracker is told of a search, and which trackers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from data_pipeline.errors import InputError

Scalar = str | int | float | bool | None

#: tracker -> what must be importable, and what installs it
PACKAGES = {"mlflow": "mlflow", "wandb": "wandb"}
TRACKERS = tuple(PACKAGES)
#: project or experiment of all searches, unless the tracker's own settings name another
PROJECT = "chromatune"


@dataclass(frozen=True, kw_only=True)
class TrackedSearch:
    """The search itself, under which its trials stand."""

    #: the same for every session of the run and for its copies, and for no other run
    identity: str
    name: str
    parameters: Mapping[str, Scalar]
    #: of the run, where a tracker may keep files of its own
    folder: Path


@dataclass(frozen=True, kw_only=True)
class TrackedTrial:
    """A trial that has begun."""

    trial_id: str
    #: training settings and sizes of the networks
    parameters: Mapping[str, Scalar]
    #: UTC, milliseconds since 1970
    started_ms: int


@dataclass(frozen=True, kw_only=True)
class TrackedEpoch:
    """An epoch of a trial: validation metrics, and its last moving averages of the losses."""

    epoch: int
    #: training steps so far
    step: int
    #: UTC, milliseconds since 1970; the same whenever it is told
    at_ms: int
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TrackedEnd:
    """How a trial ended."""

    #: complete, pruned or failed
    state: str
    step: int
    at_ms: int
    #: what is known of the trial as a whole: ratios, drifts, seconds
    values: Mapping[str, float]
    #: state, reason, trend, device
    texts: Mapping[str, str]
    #: sample grid of the best epoch and the same photos in their true colours
    pictures: Sequence[Path]


class Tracker(Protocol):
    """A place for what a search learns.

    Any method may raise whatever its package raises, and is then called again later with the same:
    it must not matter if some of it had arrived.
    """

    def connect(self, search: TrackedSearch) -> None:
        """Go on with the entry of the search, or make it."""

    def start(self, trial: TrackedTrial) -> None:
        """Go on with the entry of a trial, or make it."""

    def epoch(self, trial_id: str, epoch: TrackedEpoch) -> None:
        """Keep an epoch of a trial that was started."""

    def end(self, trial_id: str, end: TrackedEnd) -> None:
        """Keep how a trial that was started has ended."""

    def bundle(self, folder: Path) -> None:
        """Keep the search's best generator, in place of an earlier one."""

    def close(self, *, finished: bool) -> None:
        """Leave the entries as they are; `finished`: the search has come to its end."""


def check_trackers(names: Sequence[str]) -> None:
    """Raise InputError for a tracker whose package is not installed."""
    for name in names:
        if find_spec(PACKAGES[name]) is None:
            raise InputError(
                f"log must name trackers whose package is installed, but {name} is not; "
                f"pip install 'chromatune[{name}]', or leave it out"
            )
