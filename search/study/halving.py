"""Asynchronous successive halving (ASHA) with an eye for guards, at a cost that does not grow.

Li et al. 2020, https://arxiv.org/abs/1810.05934. Among trials that all satisfy the guards, or none
of which does, Optuna's `SuccessiveHalvingPruner` decides the same and keeps the same attributes in
the study; but it looks at all trials each time, and stops trials that satisfy the guards for being
behind others that do not and that can never win.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial


class HalvingPruner(BasePruner):
    """Stops a trial at a rung unless it is among the best 1/`reduction_factor` that got there.

    One that satisfies the guards there goes on too if it is among the best such part of those that
    do. Rung k is at `min_resource * reduction_factor**k` steps. What has reached a rung is read
    from the study once, and then kept up to date: the study is written to by one process, and has
    one objective.
    """

    def __init__(self, *, min_resource: int, reduction_factor: int) -> None:
        self._min_resource = min_resource
        self._reduction_factor = reduction_factor
        #: whether the last report of the trial of this number satisfies the guards
        self.is_feasible: Callable[[int], bool] = lambda number: False
        self._rungs: list[_Rung] | None = None

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether the trial, whose last report is at a rung or past it, stops there."""
        step = trial.last_step
        if step is None:
            return False
        value = trial.intermediate_values[step]
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        rung = 0
        while _key(rung) in trial.system_attrs:
            rung += 1
        while step >= self._min_resource * self._reduction_factor**rung:
            if math.isnan(value):
                return True
            rungs = self._read(study, sign) if self._rungs is None else self._rungs
            if len(rungs) == rung:
                rungs.append(_Rung())
            feasible = self.is_feasible(trial.number)
            if feasible:
                # First: a value without this would after a kill count as one that breaks a guard.
                study._storage.set_trial_system_attr(trial._trial_id, _feasible_key(rung), True)
            study._storage.set_trial_system_attr(trial._trial_id, _key(rung), value)
            if not rungs[rung].add(sign * value, feasible, self._reduction_factor):
                return True
            rung += 1
        return False

    def _read(self, study: Study, sign: float) -> list[_Rung]:
        self._rungs = []
        for trial in study.get_trials(deepcopy=False):
            rung = 0
            while (value := trial.system_attrs.get(_key(rung))) is not None:
                if len(self._rungs) == rung:
                    self._rungs.append(_Rung())
                feasible = _feasible_key(rung) in trial.system_attrs
                self._rungs[rung].add(sign * value, feasible, self._reduction_factor)
                rung += 1
        return self._rungs


class _Rung:
    """Values that reached a rung, signed so that the least is the best, in order."""

    def __init__(self) -> None:
        self._all: list[float] = []
        self._feasible: list[float] = []

    def add(self, value: float, feasible: bool, reduction_factor: int) -> bool:
        """Take up a value; return whether its trial goes on."""
        goes_on = False
        for values in (self._all, self._feasible) if feasible else (self._all,):
            insort(values, value)
            # The first trials at a rung go on if they are the best there so far.
            kept = max(len(values) // reduction_factor, 1)
            goes_on |= bisect_left(values, value) < kept
        return goes_on


def _key(rung: int) -> str:
    """The attribute of a trial that holds its value at a rung; Optuna's name for it."""
    return f"completed_rung_{rung}"


def _feasible_key(rung: int) -> str:
    """The attribute of a trial that satisfied the guards at a rung."""
    return f"feasible_at_rung_{rung}"
