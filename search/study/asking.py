"""Asks a study for trials: points and repeats first, then what the sampler draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from search.config import SearchConfig
from search.study.creation import POINTS
from search.study.journal import written_together
from search.study.sampler import sampler_for

#: trials that were asked for, whatever became of them
ASKED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class _Finalist(Protocol):
    @property
    def trial_id(self) -> str: ...


def trial_id_of(number: int) -> str:
    """The trial's id in a run: its number in the study, with four digits or more."""
    return f"{number:04d}"


def ask_trial(
    study: Study, config: SearchConfig, distributions: Mapping[str, BaseDistribution]
) -> Trial:
    """Start the next trial of the study, with all its parameters drawn."""
    study.sampler = sampler_for(config, _next_number(study))
    return _with_all_parameters(study.ask(), distributions)


def resume_trial(
    study: Study,
    config: SearchConfig,
    distributions: Mapping[str, BaseDistribution],
    running: FrozenTrial,
) -> Trial:
    """Go on with a trial that an earlier process started.

    If it was killed while it asked, parameters that were drawn stay and the rest is drawn now.
    """
    study.sampler = sampler_for(config, running.number)
    # Optuna has no public way to continue a running trial: both this constructor and the
    # identifier in the storage are private. test_asking.py says when an upgrade breaks it.
    trial = Trial(study, running._trial_id)
    return _with_all_parameters(trial, distributions)


def enqueue_point(study: Study, *, others: int = 0) -> None:
    """Let the next trial be the next of the points that the study asks first, if one is left.

    One at a time: a search that ends early leaves no trial behind that was never started. `others`
    is how many trials were asked for by people, in between.
    """
    points, number = study.user_attrs.get(POINTS, []), len(study.get_trials(deepcopy=False))
    if _next_number(study) == number < len(points) + others:
        study.enqueue_trial(points[number - others])


def enqueue_repeat(study: Study, finalists: Sequence[_Finalist], *, repeats: int) -> bool:
    """Let the next trial train a finalist's configuration again, `repeats` times each in all.

    Returns whether there is such a trial. What an earlier session asked counts, so that a resumed
    search asks no repeat twice.
    """
    trials = study.get_trials(deepcopy=False)
    if _next_number(study) < len(trials):
        return True  # enqueued by a session that was killed before it asked
    asked = Counter(trial.user_attrs.get("repeat_of") for trial in trials)
    for finalist in finalists:
        if asked[finalist.trial_id] < repeats:
            params = trials[int(finalist.trial_id)].params
            study.enqueue_trial(params, user_attrs={"repeat_of": finalist.trial_id})
            return True
    return False


def _next_number(study: Study) -> int:
    """The number of the trial that is asked next."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return waiting[0].number if waiting else len(study.get_trials(deepcopy=False))


def _with_all_parameters(trial: Trial, distributions: Mapping[str, BaseDistribution]) -> Trial:
    with written_together(trial.storage):
        for name, distribution in distributions.items():
            _suggest(trial, name, distribution)
    return trial


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    match distribution:
        case IntDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_int(name, low, high, step=step, log=log)
        case FloatDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_float(name, low, high, step=step, log=log)
        case CategoricalDistribution(choices=choices):
            trial.suggest_categorical(name, choices)
