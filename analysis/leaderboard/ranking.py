"""The order of the leaderboard and the few words that explain a trial's place.

Trials are ordered by, in this sequence:

1. standing: trials that ended and whose colours satisfy the guards (`feasible`) before trials that
   ended and break one, of each the complete before the pruned; then running, then failed;
   a configuration counts as breaking a guard when one of its repeats does;
2. discriminator: pairs whose discriminator judges before those where it gave up (`idle`) or always
   wins (`overpowered`), whose loss says nothing about their balance;
3. repeats: configurations that were trained again before those that were lucky once, perhaps;
4. trend of the adversarial loss: stagnant, unclear, then rising and falling alike;
5. score, lower is better: the weighted sum of three costs,
   - drift: |adversarial drift| / 10 %, so 1 is the largest drift that still counts as stagnant;
   - ratio: |log2(parameter ratio / target ratio)|, so 1 is double or half the target;
   - objective: distance from the best complete trial in units of the distance between the best and
     the median one, so 0 is the best and 1 an ordinary trial; a configuration that was trained
     again counts with the mean over its repeats;
   a cost that is unknown counts as 3;
6. order of start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.leaderboard.repeats import is_repeated, keeps_guards, ranked_objective
from analysis.stored_run.columns import UNJUDGED_TRENDS, badness
from analysis.stored_run.run_folder_error import RunFolderError

FloatArray = npt.NDArray[np.float64]

#: the ratio at which the report's six runs stagnated
REPORT_TARGET_RATIO = 0.8
UNKNOWN_COST = 3.0
_DRIFT_UNIT_PERCENT = 10.0
_STATE_ORDER = {"complete": 0, "pruned": 1, "running": 4, "failed": 5}
#: what breaking a guard adds to the standing of a trial that has ended
_INFEASIBLE = 2
_TREND_ORDER = {"stagnant": 0, "unclear": 1, "rising": 2, "falling": 2}


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the score's three costs; each finite and at least 0."""

    drift: float = 1.0
    #: half of the others: 0.8 is one report's estimate from six runs, not a law
    ratio: float = 0.5
    objective: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise RunFolderError(
                    f"the weight of {name} must be a finite number of at least 0, but got {value}"
                )


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The score's parts for each trial, each (n_trials,), lower is better, NaN where unknown."""

    drift: FloatArray
    ratio: FloatArray
    objective: FloatArray

    def score(self, weights: Weights) -> FloatArray:
        """Weighted sum (n_trials,)."""
        parts = (
            (self.drift, weights.drift),
            (self.ratio, weights.ratio),
            (self.objective, weights.objective),
        )
        return sum(
            (np.nan_to_num(cost, nan=UNKNOWN_COST) * weight for cost, weight in parts), np.zeros(1)
        )


def costs_of(trials: pd.DataFrame, *, objective: str, target_ratio: float) -> Costs:
    """Compute the costs of each trial of a trials table."""
    if not (math.isfinite(target_ratio) and target_ratio > 0):
        raise RunFolderError(
            f"the target ratio must be a finite number above 0, but got {target_ratio}"
        )
    ratio = _column(trials, "parameter_ratio")
    ratio = np.where(ratio > 0, ratio, math.nan)
    return Costs(
        drift=np.abs(_column(trials, "adversarial_drift")) / _DRIFT_UNIT_PERCENT,
        ratio=np.abs(np.log2(ratio / target_ratio)),
        objective=_objective_cost(
            badness(objective, _ranked(trials, objective)),
            complete=(trials["state"] == "complete").to_numpy(dtype=bool),
        ),
    )


def order_of(trials: pd.DataFrame, score: FloatArray) -> npt.NDArray[np.intp]:
    """Positions of the trials in the order of their ranks."""
    state = trials["state"].map(_STATE_ORDER).to_numpy(dtype=np.int64)
    standing = state + _INFEASIBLE * ((state <= 1) & ~keeps_guards(trials))
    unjudged = trials["adversarial_trend"].isin(UNJUDGED_TRENDS.values()).to_numpy(dtype=bool)
    trend = trials["adversarial_trend"].map(_TREND_ORDER).fillna(0).to_numpy(dtype=np.int64)
    once = ~is_repeated(trials)
    return np.lexsort((np.arange(len(trials)), score, trend, once, unjudged, standing))


def _objective_cost(bad: FloatArray, *, complete: npt.NDArray[np.bool_]) -> FloatArray:
    known = bad[complete & np.isfinite(bad)]
    if known.size == 0:
        return np.full(bad.size, math.nan)
    best = float(known.min())
    unit = float(np.median(known)) - best
    cost = np.zeros(bad.size) if unit <= 0 else (bad - best) / unit
    return np.where(np.isfinite(bad), np.maximum(cost, 0.0), math.nan)


def _ranked(trials: pd.DataFrame, objective: str) -> FloatArray:
    if objective not in trials:
        return _column(trials, objective)
    return np.asarray(ranked_objective(trials, objective), dtype=np.float64)


def _column(trials: pd.DataFrame, name: str) -> FloatArray:
    if name not in trials:
        return np.full(len(trials), math.nan)
    return trials[name].to_numpy(dtype=np.float64)
