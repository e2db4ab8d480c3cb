"""Mean and deviation of configurations that were trained again with fresh seeds.

The trial that made a configuration a finalist is left out of its mean: it was chosen for being
good, so its own value flatters the configuration (the winner's curse).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.stored_run.columns import PENALIZED


def with_repeats(trials: pd.DataFrame, objective: str) -> pd.DataFrame:
    """Add what the repeats say where any configuration was repeated.

    The columns are equal for all complete trials of a configuration: `repeats`, the number of its
    complete repeats, `repeats_feasible`, how many of them satisfy the guards, `objective_mean` and
    `objective_sd`, mean and sample standard deviation of the objective over all of them (the
    deviation is missing for one repeat), and `penalized_mean`, the mean of the penalized one. A
    table without repeats is returned as it is.
    """
    if "phase" not in trials or "configuration_id" not in trials:
        return trials
    complete = trials["state"] == "complete"
    repeats = trials[complete & (trials["phase"] == "repeat") & trials[objective].notna()]
    if repeats.empty:
        return trials
    by_configuration = repeats.groupby("configuration_id")
    groups = by_configuration[objective]
    feasible = by_configuration["feasible"].sum()
    of_configuration = trials["configuration_id"].where(complete)
    if PENALIZED in trials:
        penalized = by_configuration[PENALIZED].mean()
        trials = trials.assign(penalized_mean=of_configuration.map(penalized).astype(np.float64))
    return trials.assign(
        repeats=of_configuration.map(groups.size()).fillna(0).astype(np.int64),
        repeats_feasible=of_configuration.map(feasible).fillna(0).astype(np.int64),
        objective_mean=of_configuration.map(groups.mean()).astype(np.float64),
        objective_sd=of_configuration.map(groups.std()).astype(np.float64),
    )


def is_repeated(trials: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Mark the complete trials whose configuration was trained again (n_trials,)."""
    if "repeats" not in trials:
        return np.zeros(len(trials), dtype=bool)
    return trials["repeats"].to_numpy(dtype=np.int64) > 0


def keeps_guards(trials: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Mark the trials (n_trials,) that satisfy the guards, and whose repeats all do as well."""
    feasible = trials["feasible"].to_numpy(dtype=bool)
    if "repeats" not in trials:
        return feasible
    broken: npt.NDArray[np.bool_] = (trials["repeats_feasible"] < trials["repeats"]).to_numpy()
    return feasible & ~broken


def ranked_objective(trials: pd.DataFrame, objective: str) -> pd.Series[float]:
    """The objective that a trial is ranked by: the mean over its repeats, or else its own."""
    own = trials[objective].astype(np.float64)
    return trials["objective_mean"].fillna(own) if "objective_mean" in trials else own


def repeat_words(trials: pd.DataFrame, objective: str) -> list[str]:
    """For each trial what its repeats say, "" where there are none."""
    if "repeats" not in trials:
        return [""] * len(trials)
    words = []
    columns = ("repeats", "repeats_feasible", "objective_mean", "objective_sd")
    for n, n_feasible, mean, deviation in zip(*(trials[name] for name in columns), strict=True):
        if not n:
            words.append("")
            continue
        spread = f" ± {deviation:.2g}" if n > 1 else ""
        said = f"{objective} {mean:.4g}{spread} over {n} {'seeds' if n > 1 else 'seed'}"
        if n_feasible < n:
            said = f"{n - n_feasible} of {n} repeats fail the guards, {said}"
        words.append(said)
    return words
