"""Asynchronous successive halving (ASHA) at a cost that does not grow with the number of trials.

Li et al. 2020, https://arxiv.org/abs/1810.05934. Optuna's `SuccessiveHalvingPruner` decides the
same and keeps the same attributes in the study; but it looks at all trials each time.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort

from optuna.pruners import BasePruner
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial


class HalvingPruner(BasePruner):
    """Stops a trial at a rung unless it is among the best 1/`reduction_factor` that got there.

    Rung k is at `min_resource * reduction_factor**k` steps. What has reached a rung is read from
    the study once, and then kept up to date: the study is written to by one process, and has one
    objective.
    """

    def __init__(self, *, min_resource: int, reduction_factor: int) -> None:
        self._min_resource = min_resource
        self._reduction_factor = reduction_factor
        #: of each rung, the values that reached it, the best first; signed, the less the better
        self._rungs: list[list[float]] | None = None

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
            study._storage.set_trial_system_attr(trial._trial_id, _key(rung), value)
            if len(rungs) == rung:
                rungs.append([])
            insort(rungs[rung], sign * value)
            # The first trials at a rung go on if they are the best there so far.
            kept = max(len(rungs[rung]) // self._reduction_factor, 1)
            if bisect_left(rungs[rung], sign * value) >= kept:
                return True
            rung += 1
        return False

    def _read(self, study: Study, sign: float) -> list[list[float]]:
        rungs: list[list[float]] = []
        for trial in study.get_trials(deepcopy=False):
            rung = 0
            while (value := trial.system_attrs.get(_key(rung))) is not None:
                if len(rungs) == rung:
                    rungs.append([])
                rungs[rung].append(sign * value)
                rung += 1
        self._rungs = [sorted(values) for values in rungs]
        return self._rungs


def _key(rung: int) -> str:
    """The attribute of a trial that holds its value at a rung; Optuna's name for it."""
    return f"completed_rung_{rung}"
