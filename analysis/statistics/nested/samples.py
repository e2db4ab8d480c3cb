"""From the trials that count to what the fits take: configurations, predictors, quality."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.balance import Balance, configuration_keys, covariates_of
from analysis.statistics.nested.drift_model import LARGEST_DRIFT, DriftSamples
from analysis.statistics.nested.measured import FloatArray
from analysis.statistics.zero_crossing import usable_covariates

#: after so many epochs against the discriminator ...
EARLY_EPOCHS = 2
#: ... these columns are measured, see `early_signals`
EARLY_AUC, EARLY_GAP = "early_auc", "early_probability_gap"

#: what may predict, by what people call it; ratios as their logarithms
_RATIOS = {
    "parameter ratio": "parameter_ratio",
    "parameter ratio without the last linear layer": "conv_parameter_ratio",
    "multiply-add ratio": "multiply_add_ratio",
}
RATE_RATIO = "ratio of the learning rates"
_EARLY = {
    f"AUC after {EARLY_EPOCHS} epochs": EARLY_AUC,
    f"probability gap after {EARLY_EPOCHS} epochs": EARLY_GAP,
}


@dataclass(frozen=True, kw_only=True)
class TrainingSamples:
    """Trainings, each array (n,)."""

    #: number of each one's configuration
    clusters: FloatArray
    log2_width: FloatArray
    drift: FloatArray
    #: larger is better; NaN where unknown
    quality: FloatArray
    #: known before a training, or early in it
    predictors: Mapping[str, FloatArray]
    #: how balanced a training is at its end
    balances: Mapping[str, FloatArray]


def drift_samples(balance: Balance) -> DriftSamples:
    """The configurations that count for the balance."""
    trials = balance.trials
    keys = configuration_keys(trials).to_numpy()
    drift = trials["adversarial_drift"].clip(-LARGEST_DRIFT, LARGEST_DRIFT)
    groups = drift.groupby(keys, sort=False)
    configurations = balance.configurations
    n = len(configurations)
    if "generator_complexity" in configurations:
        widths = configurations["generator_complexity"].to_numpy(dtype=np.float64)
    else:
        widths = np.ones(n)
    n_seeds = configurations["n_seeds"].to_numpy(dtype=np.float64)
    freedom = float((n_seeds - 1).sum())
    squares = float((drift - groups.transform("mean")).pow(2).sum())
    return DriftSamples(
        log2_ratio=np.log2(configurations["parameter_ratio"].to_numpy(dtype=np.float64)),
        log2_width=np.log2(np.where(widths > 0, widths, 1.0)),
        drift=groups.mean().to_numpy(dtype=np.float64),
        n_seeds=n_seeds,
        seed_variance=squares / freedom if freedom > 0 else None,
        covariates=usable_covariates(covariates_of(configurations) if n else None, n),
    )


def training_samples(trials: pd.DataFrame, quality: FloatArray) -> TrainingSamples:
    """The trials that count for the balance, with their quality (n_trials,), larger is better."""

    def column(name: str) -> FloatArray:
        if name not in trials:
            return np.full(len(trials), math.nan)
        return trials[name].to_numpy(dtype=np.float64)

    def log2(values: FloatArray) -> FloatArray:
        return np.log2(np.where(values > 0, values, math.nan))

    predictors = {name: log2(column(ratio)) for name, ratio in _RATIOS.items()}
    predictors[RATE_RATIO] = log2(column("discriminator_lr")) - log2(column("generator_lr"))
    predictors |= {name: column(early) for name, early in _EARLY.items()}
    drift = column("adversarial_drift").clip(-LARGEST_DRIFT, LARGEST_DRIFT)
    return TrainingSamples(
        clusters=np.unique(configuration_keys(trials).to_numpy(), return_inverse=True)[1].astype(
            np.float64
        ),
        log2_width=log2(column("generator_complexity")),
        drift=drift,
        quality=quality,
        predictors=predictors,
        balances={
            "size of the drift": np.abs(drift),
            "probability gap p(real) - p(fake)": column("probability_real")
            - column("probability_fake"),
            "AUC of the discriminator": column("discriminator_auc"),
        },
    )
