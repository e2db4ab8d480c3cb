"""The sampler of a search: Optuna's TPE, which looks at a bounded number of trials.

TPE models all trials at each draw, so that a draw of a search of thousands takes longer than all
the rest of a trial's bookkeeping. What it needs is the best trials, which it draws near to, and a
picture of where the others lie; of those some hundred are nearly as good as thousands.
"""

from __future__ import annotations

import heapq
import warnings
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.config import SearchConfig

#: at so many trials TPE begins to see only some
LIMIT = 300
#: the best are always seen: TPE draws near to the best 25 at most
BEST = 50

#: how good the finished trials of a study are, see `_rank`
_Ranks = dict[int, tuple[int, float, float]]
#: finished trials do not change: each is looked at once
_ranks: WeakKeyDictionary[Study, _Ranks] = WeakKeyDictionary()


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
        trials = study.get_trials(deepcopy=False)
        if len(trials) <= LIMIT:
            return study
        if self._shown is None or self._shown[0] != trial.number:
            view: Any = _ThinnedStorage(study._storage, thinned(trials, _ranks_of(study, trials)))
            self._shown = trial.number, Study(study.study_name, view)
        return self._shown[1]


def thinned(trials: list[FrozenTrial], ranks: Mapping[int, tuple[Any, ...]]) -> list[FrozenTrial]:
    """At most `LIMIT` finished trials, in their order, and all that are not finished.

    Args:
        trials: trials of a study.
        ranks: by the numbers of the finished trials, how good they are, the best with the least;
            empty when there is no telling, as with several objectives.

    Kept are the best, and as many of the rest as there is room for, spread evenly over the search.
    """
    finished = [i for i, trial in enumerate(trials) if trial.state.is_finished()]
    if len(finished) <= LIMIT:
        return trials
    kept = set[int]()
    if ranks:
        kept.update(heapq.nsmallest(BEST, finished, key=lambda i: ranks[trials[i].number]))
    rest = [i for i in finished if i not in kept]
    spread = np.linspace(0, len(rest) - 1, LIMIT - len(kept)).round().astype(int)
    kept.update(rest[i] for i in spread)
    return [t for i, t in enumerate(trials) if i in kept or not t.state.is_finished()]


def _ranks_of(study: Study, trials: list[FrozenTrial]) -> _Ranks:
    if len(study.directions) > 1:
        return {}
    ranks = _ranks.setdefault(study, {})
    sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
    for trial in trials:
        if trial.number not in ranks and trial.state.is_finished():
            ranks[trial.number] = _rank(trial, sign)
    return ranks


def _rank(trial: FrozenTrial, sign: float) -> tuple[int, float, float]:
    """Less is better, in the order in which TPE takes trials for good ones."""
    violation = sum(max(0.0, each) for each in trial.constraints.values())
    if violation > 0:
        return 2, violation, 0.0
    if trial.state == TrialState.COMPLETE and trial.value is not None:
        return 0, sign * trial.value, 0.0
    last = trial.last_step
    if trial.state == TrialState.PRUNED and last is not None:
        return 1, -float(last), sign * trial.intermediate_values[last]
    return 3, 0.0, 0.0


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
