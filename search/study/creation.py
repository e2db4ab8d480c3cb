"""The Optuna study of a search: storage, search space, early stopping and start points."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
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
from search.space import Choice, Point, Range, Scalar, SearchSpace
from search.study.halving import SuccessiveHalving
from search.study.storage import open_storage

#: (generator, discriminator) widths of the report and the learning rate of both: its final model,
#: then its studies of complexity and of the adversarial effect
REPORT_PAIRS = (
    *((72, 14, 7e-6), (30, 4, 7e-5), (24, 4, 7e-5), (38, 4, 7e-5), (16, 4, 7e-5)),
    *((46, 4, 7e-5), (52, 4, 7e-5), (46, 16, 7e-5)),
)
REPORT_ADVERSARIAL_FACTOR = 0.1
REPORT_STUDY_RATE = 7e-5
_RATES = ("generator_lr", "discriminator_lr")
#: share of a search that may go to known points: a short search must also explore
KNOWN_POINTS_SHARE = 0.25
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
        study.set_user_attr(POINTS, _points(config))
    if study.metric_names != list(objectives):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(objectives))
    return study


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's form of the sampled parameters."""
    return {name: _distribution(parameter) for name, parameter in space.sampled.items()}


def known_points(config: SearchConfig) -> list[Point]:
    """The report's configurations, as far as the space holds their widths and factor.

    Where it does not hold the final model's low learning rate, that of the report's studies takes
    its place, and where it holds neither, both rates are sampled, as is all that no point names.
    """
    sampled = config.space.sampled
    points: list[Point] = []
    for generator, discriminator, own_rate in REPORT_PAIRS:
        point: dict[str, Scalar] = {
            "generator_complexity": generator,
            "discriminator_complexity": discriminator,
            "adversarial_factor": REPORT_ADVERSARIAL_FACTOR,
        }
        point = {name: value for name, value in point.items() if name in sampled}
        if not point or not _inside(sampled, point):
            continue
        for rate in (own_rate, REPORT_STUDY_RATE):
            rates = {name: rate for name in _RATES if name in sampled}
            if _inside(sampled, rates):
                point |= rates
                break
        if point not in points:
            points.append(point)
    return points[: int(config.trials * KNOWN_POINTS_SHARE)]


def _points(config: SearchConfig) -> list[Point]:
    """The configured points, or else the report's, if they are wanted; each once."""
    points: list[Point] = []
    for point in config.points or (known_points(config) if config.known_points else ()):
        if point not in points:
            points.append(dict(point))
    return points


def _inside(sampled: Mapping[str, Range | Choice], point: Point) -> bool:
    return all(sampled[name].contains(value) for name, value in point.items())


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
