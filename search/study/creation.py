"""The Optuna study of a search: storage, pruner and start points."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.study import Study
from optuna.trial import Trial, TrialState

from models.metrics.names import DIRECTIONS
from search.config import SearchConfig
from search.run.directory import RunFolder
from search.space import Choice, Range, SearchSpace
from search.study.halving import HalvingPruner
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
#: the study's attribute with the points that are asked first: trial n is point n
_POINTS = "points"

#: trials that were asked for, whatever became of them
ASKED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class _Finalist(Protocol):
    @property
    def trial_id(self) -> str: ...


def open_study(run: RunFolder, config: SearchConfig) -> Study:
    """Create the study of a new run, or load that of a resumed one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    objectives = (config.objective, *config.second_objectives)
    study = optuna.create_study(
        study_name=config.name,
        storage=open_storage(run, config.storage),
        directions=[DIRECTIONS[metric] for metric in objectives],
        pruner=_pruner(config),
        load_if_exists=True,
    )
    if _POINTS not in study.user_attrs and not study.get_trials(deepcopy=False):
        study.set_user_attr(_POINTS, _points(config))
    if study.metric_names != list(objectives):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(objectives))
    return study


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Optuna's form of the sampled parameters."""
    return {name: _distribution(parameter) for name, parameter in space.sampled.items()}


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    """Draw a parameter of a trial, or keep what was drawn before."""
    match distribution:
        case IntDistribution():
            trial.suggest_int(
                name,
                distribution.low,
                distribution.high,
                step=distribution.step,
                log=distribution.log,
            )
        case FloatDistribution():
            trial.suggest_float(
                name,
                distribution.low,
                distribution.high,
                step=distribution.step,
                log=distribution.log,
            )
        case CategoricalDistribution():
            trial.suggest_categorical(name, distribution.choices)


def trial_id_of(number: int) -> str:
    """The trial's id in a run: its number in the study, with four digits or more."""
    return f"{number:04d}"


def next_number(study: Study) -> int:
    """The number of the trial that is asked next."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return waiting[0].number if waiting else len(study.get_trials(deepcopy=False))


def enqueue_point(study: Study) -> None:
    """Let the next trial be the next of the points that the study asks first, if one is left.

    One at a time: a search that ends early leaves no trial behind that was never started.
    """
    points, number = study.user_attrs.get(_POINTS, []), len(study.get_trials(deepcopy=False))
    if next_number(study) == number < len(points):
        study.enqueue_trial(points[number])


def enqueue_repeat(study: Study, finalists: Sequence[_Finalist], *, repeats: int) -> bool:
    """Let the next trial train a finalist's configuration again, `repeats` times each in all.

    Returns whether there is such a trial. What an earlier session asked counts, so that a resumed
    search asks no repeat twice.
    """
    trials = study.get_trials(deepcopy=False)
    if next_number(study) < len(trials):
        return True  # enqueued by a session that was killed before it asked
    asked = Counter(trial.user_attrs.get("repeat_of") for trial in trials)
    for finalist in finalists:
        if asked[finalist.trial_id] < repeats:
            params = trials[int(finalist.trial_id)].params
            study.enqueue_trial(params, user_attrs={"repeat_of": finalist.trial_id})
            return True
    return False


def known_points(config: SearchConfig) -> list[dict[str, Any]]:
    """The report's configurations, as far as the space holds their widths and factor.

    Where it does not hold the final model's low learning rate, that of the report's studies takes
    its place, and where it holds neither, both rates are sampled, as is all that no point names.
    """
    sampled = config.make_space().sampled
    points: list[dict[str, Any]] = []
    for generator, discriminator, own_rate in REPORT_PAIRS:
        point = {
            "generator_complexity": generator,
            "discriminator_complexity": discriminator,
            "adversarial_factor": REPORT_ADVERSARIAL_FACTOR,
        }
        point = {name: value for name, value in point.items() if name in sampled}
        if not point or not _inside(sampled, point):
            continue
        for rate in (own_rate, REPORT_STUDY_RATE):
            rates: dict[str, Any] = {name: rate for name in _RATES if name in sampled}
            if _inside(sampled, rates):
                point |= rates
                break
        if point not in points:
            points.append(point)
    return points[: int(config.trials * KNOWN_POINTS_SHARE)]


def _points(config: SearchConfig) -> list[dict[str, Any]]:
    """The configured points, or else the report's, if they are wanted; each once."""
    points: list[dict[str, Any]] = []
    for point in config.points or (known_points(config) if config.known_points else ()):
        if point not in points:
            points.append(dict(point))
    return points


def _inside(sampled: Mapping[str, Range | Choice], point: Mapping[str, Any]) -> bool:
    return all(sampled[name].contains(value) for name, value in point.items())


def _distribution(parameter: Range | Choice) -> BaseDistribution:
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.values)
    low, high, log, step = parameter.low, parameter.high, parameter.log, parameter.step
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _pruner(config: SearchConfig) -> BasePruner:
    stopping = config.early_stopping
    if not stopping.enabled or config.max_epochs <= stopping.grace_epochs:
        return NopPruner()
    if config.second_objectives:
        # A trial that is behind in one objective may be ahead in another.
        return NopPruner()
    # Its rungs are kept in the study, so a resumed search judges by all that went before.
    return HalvingPruner(
        min_resource=stopping.grace_epochs, reduction_factor=stopping.reduction_factor
    )
