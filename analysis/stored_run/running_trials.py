"""How far the running trials have come: the driver writes their end row only when they end."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stored_run.column_types import typed_column
from analysis.stored_run.rows import decode_row
from analysis.stored_run.run import Run
from models.metrics.names import METRICS
from models.metrics.objective import Objective

_COUNTERS = ("steps", "epochs", "images", "seconds")
_CURVE_KEYS = {"steps": "step", "epochs": "epoch", "images": "images", "seconds": "seconds"}


def trials_with_progress(run: Run) -> pd.DataFrame:
    """The trials table with the counters and the best validation so far of each running trial."""
    trials = run.trials
    running = trials.index[trials["state"] == "running"]
    if running.empty:
        return trials
    trials = trials.copy()
    for name in (*_COUNTERS, *METRICS):
        values = trials[name] if name in trials else float("nan")
        trials[name] = pd.Series(values, index=trials.index, dtype="float64")
    for index in running:
        for name, value in _progress(run, str(trials.at[index, "trial_id"])).items():
            trials.at[index, name] = value
    for name in _COUNTERS:
        trials[name] = typed_column(name, trials[name].tolist())
    return trials


def _progress(run: Run, trial_id: str) -> dict[str, float]:
    """Counters at the last window, and the metrics of the best validation so far."""
    lines = run.curve_lines(trial_id)
    last = decode_row(lines[-1]) if lines else None
    found = {name: (last or {}).get(key) for name, key in _CURVE_KEYS.items()}
    best = best_validation(run.validation(trial_id), run.comparison)
    found |= {name: (best or {}).get(name) for name in METRICS}
    return {k: float(v) for k, v in found.items() if isinstance(v, int | float)}


def best_validation(rows: list[dict[str, Any]], objective: Objective) -> dict[str, Any] | None:
    """The validation with the best penalized objective, as the search itself chooses an epoch."""
    known = [row for row in rows if isinstance(row.get(objective.metric), int | float)]
    return min(known, key=objective.sort_key, default=None)
