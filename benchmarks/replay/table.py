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
    #: of `benchmarks.recordings.plans`
    plan: str
    #: penalized objective after each epoch, by set of photos; infinite after a failure
    values: dict[str, FloatArray]
    #: what of these is a penalty for coming near a guard
    penalties: FloatArray
    #: value on unseen photos, at its best epoch, of the same training with another seed; or NaN
    again: float
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


def read_table(rows: Sequence[dict[str, Any]], *, epochs: int) -> list[Recorded]:
    """Trainings with seed 0 that were recorded for so many epochs."""
    costs: dict[str, float] = {}
    trainings: dict[tuple[int, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        settings = row["settings"]
        if row["kind"] == "beginning":
            costs[_generator(settings)] = row.get("multiply_adds", math.nan)
        else:
            epoch = row.get("epoch", row["end"]) - settings["pretrain_epochs"]
            seed, rest = settings["seed"], {k: v for k, v in settings.items() if k != "seed"}
            trainings.setdefault((seed, json.dumps(rest, sort_keys=True)), {})[epoch] = row
    whole: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for key, by_epoch in trainings.items():
        rows_of = [by_epoch[epoch] for epoch in sorted(by_epoch)]
        if len(rows_of) >= epochs and "failed" not in rows_of[-1]:
            whole[key] = rows_of[:epochs]
    return [
        _recorded(rows_of, whole.get((1, rest)), costs)
        for (seed, rest), rows_of in whole.items()
        if seed == 0
    ]


def _recorded(
    rows: Sequence[dict[str, Any]],
    again: Sequence[dict[str, Any]] | None,
    costs: dict[str, float],
) -> Recorded:
    settings, sets = rows[0]["settings"], rows[0]["sets"]
    unseen = sets.index(UNSEEN)
    last = rows[-1]
    return Recorded(
        settings=settings,
        plan=rows[0]["plan"],
        values={name: np.array([_value(row, sets.index(name)) for row in rows]) for name in sets},
        penalties=np.array([_penalty(row, sets.index(SEEN)) for row in rows]),
        again=_best_epoch_unseen(again) if again else math.nan,
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


def _value(row: dict[str, Any], index: int) -> float:
    value = Objective().penalized(_measured(row, index))
    return math.inf if value is None else value


def _penalty(row: dict[str, Any], index: int) -> float:
    return _value(row, index) - _measured(row, index)["set_swd"]


def _measured(row: dict[str, Any], index: int) -> dict[str, float]:
    measured = {name: values[index] for name, values in row["metrics"].items()}
    # The default metric was recorded under the name that it had in the study that chose it.
    measured["set_swd"] = row["candidates"]["set_swd_detail"][index]
    return measured


def _best_epoch_unseen(rows: Sequence[dict[str, Any]]) -> float:
    sets = rows[0]["sets"]
    seen, unseen = sets.index(SEEN), sets.index(UNSEEN)
    return _value(min(rows, key=lambda row: _value(row, seen)), unseen)


def _generator(settings: dict[str, Any]) -> str:
    return json.dumps([settings[name] for name in GENERATOR])
