"""The sampler of a search: Optuna's TPE, which looks at a bounded number of trials."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.config import SearchConfig
from search.study.thinning import StudyPicture

#: of each study, which the samplers of its trials share
_pictures: WeakKeyDictionary[Study, StudyPicture] = WeakKeyDictionary()


def sampler_for(
    config: SearchConfig,
    trial_number: int,
    space: Mapping[str, BaseDistribution] | None = None,
) -> BaseSampler:
    """The sampler that draws trial `trial_number`.

    Seeded by the trial's number, so that a resumed search draws what an uninterrupted one would.
    `space` is what all trials of the study draw; without it, it is looked up in each of them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        tpe = TPESampler(
            # Optuna's advice; with several objectives the parameters are drawn one by one.
            multivariate=not config.second_objectives,
            # Trials that still run count as bad, so that parallel slots do not ask the same point.
            constant_liar=True,
            seed=(config.seed * 1_000_003 + trial_number) % 2**32,
        )
    return ThinnedSampler(tpe, None if config.second_objectives else space)


class ThinnedSampler(BaseSampler):
    """Shows another sampler only some trials of a long study."""

    def __init__(
        self, sampler: BaseSampler, space: Mapping[str, BaseDistribution] | None = None
    ) -> None:
        self._sampler = sampler
        self._space = space
        self._shown: tuple[int, Study] | None = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The known space, or what the other sampler finds in the trials it is shown."""
        if self._space is not None:
            # As Optuna does: sorted, and without what can only be drawn in one way.
            names = sorted(name for name, each in self._space.items() if not each.single())
            return {name: self._space[name] for name in names}
        return self._sampler.infer_relative_search_space(self._show(study, trial), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """What the other sampler draws."""
        return self._sampler.sample_relative(self._show(study, trial), trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """What the other sampler draws."""
        return self._sampler.sample_independent(
            self._show(study, trial), trial, param_name, param_distribution
        )

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass the event on."""
        self._sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """Pass the event on."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Pass the wish on."""
        self._sampler.reseed_rng()

    def _show(self, study: Study, trial: FrozenTrial) -> Study:
        """The study, or a view of it for this trial that holds fewer trials."""
        if self._shown is None or self._shown[0] != trial.number:
            trials = _pictures.setdefault(study, StudyPicture()).show(study)
            if trials is None:
                return study
            view: Any = _ThinnedStorage(study._storage, trials)
            self._shown = trial.number, Study(study.study_name, view)
        return self._shown[1]


class _ThinnedStorage:
    """A storage of which only some trials are seen; all else passes through."""

    def __init__(self, storage: Any, trials: list[FrozenTrial]) -> None:
        self._storage = storage
        self._trials = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Any = None
    ) -> list[FrozenTrial]:
        return [trial for trial in self._trials if states is None or trial.state in states]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)
