"""Names of the trials table's columns, and a metric's distance from its best value.

The leaderboard's first columns are a contract: scripts rely on their names and order.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.metrics.names import METRIC_GOALS, METRICS

STATES = ("complete", "pruned", "failed", "running")
#: states of trials that ended well enough to have a result: a pruned one that of its best epoch
ENDED = ("complete", "pruned")
#: trend of a trial whose discriminator no longer judges, by the discriminator's verdict: its loss
#: says nothing about the balance of the pair
UNJUDGED_TRENDS = {"gave up": "idle", "always wins": "overpowered"}
#: the objective with the penalties of its guards, by which the whole program compares
PENALIZED = "penalized_objective"
TRENDS = ("stagnant", "unclear", "rising", "falling", *UNJUDGED_TRENDS.values())

LEADERBOARD_COLUMNS = (
    "rank",
    "trial_id",
    "state",
    "generator_complexity",
    "discriminator_complexity",
    "generator_lr",
    "discriminator_lr",
    "adversarial_factor",
    "generator_parameters",
    "discriminator_parameters",
    "parameter_ratio",
    "conv_parameter_ratio",
    "adversarial_drift",
    "adversarial_trend",
    "reconstruction_drift",
    "epochs",
    "steps",
    "seconds",
    *METRICS,
)

#: columns that hold text even where every value looks like a number ("0007", "12e45")
TEXT_COLUMNS = (
    "trial_id",
    "state",
    "reason",
    "started_at",
    "ended_at",
    "device",
    "phase",
    "repeat_of",
    "configuration_id",
    "adversarial_trend",
    "discriminator_verdict",
    "best",
    "why",
)

INTEGER_COLUMNS = (
    "rank",
    "generator_complexity",
    "discriminator_complexity",
    "generator_parameters",
    "discriminator_parameters",
    "generator_multiply_adds",
    "discriminator_multiply_adds",
    "image_size",
    "batch_size",
    "max_epochs",
    "epochs",
    "steps",
    "images",
    "best_epoch",
    "seed",
    "shared_epochs",
    "repeats",
    "repeats_feasible",
)

FLOAT_COLUMNS = (
    "seconds",
    "seconds_saved",
    "generator_lr",
    "discriminator_lr",
    "adversarial_factor",
    "parameter_ratio",
    "conv_parameter_ratio",
    "multiply_add_ratio",
    "adversarial_drift",
    "adversarial_drift_low",
    "adversarial_drift_high",
    "reconstruction_drift",
    "probability_real",
    "probability_fake",
    "discriminator_auc",
    "score",
    "objective_mean",
    "objective_sd",
    PENALIZED,
    "penalized_mean",
    *METRICS,
)


def badness(metric: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Turn a metric's values into a number to minimise, by its goal (unknown: minimize)."""
    array = np.asarray(values, dtype=np.float64)
    match METRIC_GOALS.get(metric, "minimize"):
        case "maximize":
            return -array
        case "zero":
            return np.abs(array)
        case "one":
            # A ratio: half is as far from 1 as double.
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(array > 0, np.abs(np.log(np.abs(array))), math.inf)
    return array
