"""The Optuna study of a search: storage, search space, early stopping and start points."""

from __future__ import annotations

import warnings
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import NopPruner
from optuna.study import Study

from models.metrics.names import DIRECTIONS
from search.config import SearchConfig
from search.space import Choice, Range, SearchSpace
from search.study.halving import SuccessiveHalving
from search.study.start_points import start_points
from search.study.storage import open_storage

#: the study's attribute with the points that are asked first: trial n is point n, not counting
#: those that people ask for in between
POINTS = "points"


def open_study(journal_path: Path, config: SearchConfig) -> Study:
    """Create the study of a new run, or load that of a resumed one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objectives = (config.objective, *config.second_objectives)
    study = optuna.create_study(
        study_name=config.name,
        storage=open_storage(journal_path, config.storage),
        directions=[DIRECTIONS[metric] for metric in objectives],
        pruner=NopPruner(),  # early stopping is `halving_for`
        load_if_exists=True,
    )
    if POINTS not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(POINTS, start_points(config))
    if study.metric_names != list(objectives):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(objectives))
    return study


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's form of the sampled parameters."""
    return {name: _distribution(parameter) for name, parameter in space.sampled.items()}


def _distribution(parameter: Range | Choice) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    low, high, log, step = parameter.low, parameter.high, parameter.log, parameter.step
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def halving_for(config: SearchConfig, study: Study) -> SuccessiveHalving | None:
    """The early stopping of a search, which judges by all that went before; None: it has none."""
    stopping = config.early_stopping
    if not stopping.enabled or config.max_epochs <= stopping.grace_epochs:
        return None
    if config.second_objectives:
        # A trial that is behind in one objective may be ahead in another.
        return None
    return SuccessiveHalving(
        grace_epochs=stopping.grace_epochs,
        reduction_factor=stopping.reduction_factor,
        minimize=DIRECTIONS[config.objective] == "minimize",
        trials=study.get_trials(deepcopy=False),
    )
