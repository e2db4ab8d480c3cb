"""Mean and deviation of configurations that were trained again with fresh seeds.

The trial that made a configuration a finalist is left out of its mean: it was chosen for being
good, so its own value flatters the configuration (the winner's curse).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = ("repeats", "objective_mean", "objective_sd")


def with_repeats(trials: pd.DataFrame, objective: str) -> pd.DataFrame:
    """Add `repeats`, `objective_mean` and `objective_sd` where any configuration was repeated.

    The three are equal for all complete trials of a configuration: the number of its complete
    repeats, and mean and sample standard deviation of the objective over them (the deviation is
    missing for one repeat). A table without repeats is returned as it is.
    """
    if "phase" not in trials or "configuration_id" not in trials:
        return trials
    complete = trials["state"] == "complete"
    repeats = trials[complete & (trials["phase"] == "repeat") & trials[objective].notna()]
    if repeats.empty:
        return trials
    groups = repeats.groupby("configuration_id")[objective]
    of_configuration = trials["configuration_id"].where(complete)
    return trials.assign(
        repeats=of_configuration.map(groups.size()).fillna(0).astype(np.int64),
        objective_mean=of_configuration.map(groups.mean()).astype(np.float64),
        objective_sd=of_configuration.map(groups.std()).astype(np.float64),
    )


def ranked_objective(trials: pd.DataFrame, objective: str) -> pd.Series[float]:
    """The objective that a trial is ranked by: the mean over its repeats, or else its own."""
    own = trials[objective].astype(np.float64)
    return trials["objective_mean"].fillna(own) if "objective_mean" in trials else own


def repeat_words(trials: pd.DataFrame, objective: str) -> list[str]:
    """For each trial what its repeats say, "" where there are none."""
    if "repeats" not in trials:
        return [""] * len(trials)
    words = []
    for n, mean, deviation in zip(
        trials["repeats"], trials["objective_mean"], trials["objective_sd"], strict=True
    ):
        spread = f" ± {deviation:.2g}" if n > 1 else ""
        seeds = "seeds" if n > 1 else "seed"
        words.append(f"{objective} {mean:.4g}{spread} over {n} {seeds}" if n else "")
    return words
