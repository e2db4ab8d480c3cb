"""An Optuna study in memory, rebuilt from the trials table, for Optuna's own visualisations.

The run's study.journal is left alone: a search may be writing to it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from analysis.report.figures.style import is_logarithmic
from analysis.stored_run.run import Run
from models.metrics.names import DIRECTIONS

_PARAMETERS = (
    "generator_complexity",
    "discriminator_complexity",
    "generator_lr",
    "discriminator_lr",
    "adversarial_factor",
)


def searched_parameters(run: Run) -> list[str]:
    """Columns of the parameters that were searched and differ between trials."""
    space = run.config.get("space")
    names = list(space) if isinstance(space, dict) else list(_PARAMETERS)
    return [name for name in names if name in run.trials and run.trials[name].nunique() > 1]


def study_of(run: Run, states: tuple[str, ...] = ("complete",)) -> optuna.Study:
    """Rebuild the study: one trial a row, in order, with the objective as value.

    Trials in one of the `states` with a value are COMPLETE, all others FAIL: Optuna's figures show
    complete trials only. Those that break a guard carry a constraint, as the figures expect it.
    """
    study = study_in_memory(direction=DIRECTIONS.get(run.objective, "minimize"))
    distributions = {name: _distribution(run.trials[name]) for name in searched_parameters(run)}
    study.add_trials(
        [_trial(row, run.objective, distributions, states) for row in run.trials.to_dict("records")]
    )
    return study


def study_in_memory(*, direction: Literal["minimize", "maximize"]) -> optuna.Study:
    """An empty study, created without Optuna's log line."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction=direction)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _distribution(values: pd.Series[Any]) -> BaseDistribution:
    if not pd.api.types.is_numeric_dtype(values):
        return CategoricalDistribution(sorted(values.dropna().astype(str).unique()))
    low, high = values.min(), values.max()
    log = is_logarithmic(values.dropna().to_numpy(), str(values.name))
    if pd.api.types.is_integer_dtype(values):
        return IntDistribution(int(low), int(high))
    return FloatDistribution(float(low), float(high), log=log)


def _trial(
    row: dict[Any, Any],
    objective: str,
    distributions: dict[str, BaseDistribution],
    states: tuple[str, ...],
) -> optuna.trial.FrozenTrial:
    value = row.get(objective, np.nan)
    known = {name: row[name] for name in distributions if row[name] == row[name]}
    shown = row["state"] in states and np.isfinite(value) and len(known) == len(distributions)
    return create_trial(
        state=TrialState.COMPLETE if shown else TrialState.FAIL,
        value=float(value) if shown else None,
        params=known,
        distributions={name: distributions[name] for name in known},
        system_attrs={"constraints": [0.0 if row["feasible"] else 1.0]},
    )
