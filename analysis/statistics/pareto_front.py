"""The Pareto front: trials that no other trial equals in everything and beats in something."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.stored_run.columns import ENDED, badness


def on_front(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Mark the rows of `costs` (n_trials, n_objectives), lower is better, that none dominates.

    A row dominates another if it is nowhere larger and somewhere smaller; rows with NaN are never
    on the front. Equal rows are on it together.
    """
    front = np.zeros(len(costs), dtype=bool)
    # In this order no row is dominated by a later one.
    for i in np.lexsort(costs.T[::-1]):
        rivals = costs[front]
        dominated = (rivals <= costs[i]).all(axis=1) & (rivals < costs[i]).any(axis=1)
        front[i] = not np.isnan(costs[i]).any() and not dominated.any()
    return front


def pareto_front(trials: pd.DataFrame, objectives: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Mark the feasible trials that ended (n_trials,) and are on the front of `objectives`."""
    if any(metric not in trials for metric in objectives):
        return np.zeros(len(trials), dtype=bool)
    costs = np.column_stack([badness(metric, trials[metric]) for metric in objectives])
    candidates = trials["state"].isin(ENDED) & trials["feasible"].astype(bool)
    costs[~candidates.to_numpy(dtype=bool)] = np.nan
    return on_front(costs)
