"""Recorded trainings (`benchmarks.recordings`), looked up epoch by epoch instead of trained."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.statistics.discriminator_health import discriminator_health
from models.metrics.objective import Objective

FloatArray = npt.NDArray[np.float64]

#: photos whose figures a searcher sees, and photos that judge its winner
SEEN, UNSEEN = "choose", "test"
#: what makes two trainings share their beginning, beside the seed
GENERATOR = ("generator_complexity", "generator_lr", "smooth_upsampling")
#: searched numbers and their ranges; all but `pretrain_epochs` on a logarithmic scale
LOG_RANGES = {
    "generator_complexity": (8.0, 64.0),
    "generator_lr": (1e-4, 3e-3),
    "discriminator_complexity": (2.0, 32.0),
    "discriminator_lr": (1e-6, 2e-3),
    "adversarial_factor": (0.003, 0.3),
}
MOST_PRETRAINING = 12


@dataclass(frozen=True, eq=False)
class Recorded:
    """A training against a discriminator, every epoch of which is recorded."""

    settings: dict[str, Any]
    #: penalized objective after each epoch, by set of photos; infinite after a failure
    values: dict[str, FloatArray]
    #: kernel distance of features on the unseen photos at its end
    judged: float
    #: whether the discriminator had given up, as `analysis` sees it
    gave_up: bool
    #: multiply-adds of an epoch
    epoch_cost: float
    #: multiply-adds of what it goes on from
    beginning_cost: float
    #: place in the unit cube
    place: FloatArray = field(repr=False)

    @property
    def beginning(self) -> tuple[Any, ...]:
        """What shared pre-training it belongs to."""
        return (*(self.settings[name] for name in GENERATOR), self.settings["pretrain_epochs"])


def read_table(rows: Sequence[dict[str, Any]], *, seed: int, epochs: int) -> list[Recorded]:
    """Trainings of a seed that were recorded for so many epochs (or until they failed)."""
    costs: dict[str, float] = {}
    trainings: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        settings = row["settings"]
        if settings["seed"] != seed:
            continue
        if row["kind"] == "beginning":
            costs[_generator(settings)] = row.get("multiply_adds", math.nan)
        else:
            epoch = row.get("epoch", row["end"]) - settings["pretrain_epochs"]
            trainings.setdefault(json.dumps(settings, sort_keys=True), {})[epoch] = row
    found = []
    for by_epoch in trainings.values():
        rows_of = [by_epoch[epoch] for epoch in sorted(by_epoch)]
        whole = len(rows_of) >= epochs and "failed" not in rows_of[-1]
        if whole:
            found.append(_recorded(rows_of[:epochs], costs))
    return found


def _recorded(rows: Sequence[dict[str, Any]], costs: dict[str, float]) -> Recorded:
    settings, sets = rows[0]["settings"], rows[0]["sets"]
    objective = Objective()
    unseen = sets.index(UNSEEN)
    last = rows[-1]
    return Recorded(
        settings=settings,
        values={
            name: np.array([_value(objective, row, sets.index(name)) for row in rows])
            for name in sets
        },
        judged=last["judge"]["kid"][unseen] if last.get("judge") else math.nan,
        gave_up=_gave_up(rows),
        epoch_cost=rows[0]["multiply_adds"],
        beginning_cost=settings["pretrain_epochs"] * costs[_generator(settings)]
        if settings["pretrain_epochs"]
        else 0.0,
        place=place_of(settings),
    )


def _gave_up(rows: list[dict[str, Any]]) -> bool:
    windows = [
        dict(zip(row["curve"], values, strict=True))
        for row in rows
        for values in zip(*row["curve"].values(), strict=True)
    ]
    return discriminator_health(windows).verdict == "gave up"


def place_of(settings: dict[str, Any]) -> FloatArray:
    """Searched numbers, each scaled to 0 to 1 over its range."""
    logs = [
        math.log(settings[name] / low) / math.log(high / low)
        for name, (low, high) in LOG_RANGES.items()
    ]
    return np.array([*logs, settings["pretrain_epochs"] / MOST_PRETRAINING])


def _value(objective: Objective, row: dict[str, Any], index: int) -> float:
    measured = {name: values[index] for name, values in row["metrics"].items()}
    # The default metric was recorded under the name that it had in the study that chose it.
    measured["set_swd"] = row["candidates"]["set_swd_detail"][index]
    value = objective.penalized(measured)
    return math.inf if value is None else value


def _generator(settings: dict[str, Any]) -> str:
    return json.dumps([settings[name] for name in GENERATOR])
