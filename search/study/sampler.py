"""The sampler of a search: Optuna's TPE, seeded trial by trial."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler

from search.config import SearchConfig


def sampler_for(config: SearchConfig, trial_number: int) -> BaseSampler:
    """The sampler that draws trial `trial_number`.

    Seeded by the trial's number, so that a resumed search draws what an uninterrupted one would.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            # Optuna's advice; with several objectives the parameters are drawn one by one.
            multivariate=not config.second_objectives,
            # Trials that still run count as bad, so that parallel slots do not ask the same point.
            constant_liar=True,
            seed=(config.seed * 1_000_003 + trial_number) % 2**32,
        )
