"""The answers of a run to: what makes a pair balanced, and does balance make better colours?

What each rests on stands in the modules beside this one. All of them count the trials that
`balance` counts: complete, trained against a discriminator that still judges. Trials that early
stopping ended are missing, and not at random: the answers are about those that it let finish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.statistics.balance import Balance
from analysis.statistics.nested.cross_validation import Prediction, compare_predictions
from analysis.statistics.nested.drift_model import (
    DriftSamples,
    DriftSlope,
    Equivalence,
    drift_at,
    drift_slope,
    sign_throughout,
)
from analysis.statistics.nested.measured import FloatArray
from analysis.statistics.nested.partial_correlation import (
    PartialCorrelation,
    partial_correlation,
)
from analysis.statistics.nested.samples import drift_samples, training_samples
from analysis.stored_run.columns import PENALIZED, badness

CrossingVerdict = Literal["crosses", "does not cross", "not determined"]


@dataclass(frozen=True, kw_only=True)
class BalanceAnswers:
    """What a run says, with how much certainty."""

    balance: Balance
    samples: DriftSamples
    ratio_slope: DriftSlope
    width_slope: DriftSlope
    crossing: CrossingVerdict
    #: 1 or -1 where the drift lies above or below 0 at every ratio tried, else 0
    sign: int
    equivalence: Equivalence
    #: of the drift and of the objective
    drift_prediction: Prediction
    quality_prediction: Prediction
    #: of measures of balance with the objective, larger is better
    correlations: tuple[PartialCorrelation, ...]


def balance_answers(
    balance: Balance, *, objective: str, target_ratio: float, early: pd.DataFrame | None = None
) -> BalanceAnswers:
    """Answer from the trials that count for the balance.

    Args:
        balance: of the run.
        objective: the metric whose penalized value is the quality.
        target_ratio: the parameter ratio to test, above 0.
        early: columns of `samples.EARLY_AUC` and `EARLY_GAP` by trial, with `trial_id`.
    """
    trials = balance.trials
    if early is not None and len(trials):
        trials = trials.merge(early, on="trial_id", how="left")
    configurations = drift_samples(balance)
    trainings = training_samples(trials, _quality(trials, objective))
    sign = sign_throughout(configurations)
    verdict: CrossingVerdict = "does not cross" if sign else "not determined"
    known = {"widths": trainings.log2_width, "clusters": trainings.clusters}
    return BalanceAnswers(
        balance=balance,
        samples=configurations,
        ratio_slope=drift_slope(configurations, "parameter ratio"),
        width_slope=drift_slope(configurations, "generator width"),
        crossing="crosses" if balance.crossing.determined else verdict,
        sign=sign,
        equivalence=drift_at(configurations, target_ratio),
        drift_prediction=compare_predictions(trainings.predictors, trainings.drift, **known),
        quality_prediction=compare_predictions(trainings.predictors, trainings.quality, **known),
        correlations=tuple(
            partial_correlation(name, values, trainings.quality, **known)
            for name, values in trainings.balances.items()
            if np.isfinite(values).any()
        ),
    )


def _quality(trials: pd.DataFrame, objective: str) -> FloatArray:
    """The penalized objective, larger is better (n_trials,)."""
    if PENALIZED not in trials:
        return np.full(len(trials), math.nan)
    return -badness(objective, trials[PENALIZED].to_numpy(dtype=np.float64))
