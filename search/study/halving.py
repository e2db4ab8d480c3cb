"""Asynchronous successive halving (ASHA) at a cost that does not grow.

Li et al. 2020, https://arxiv.org/abs/1810.05934. Optuna's `SuccessiveHalvingPruner` decides the
same; but it looks at all trials each time.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from optuna.trial import FrozenTrial, Trial


class SuccessiveHalving:
    """Stops a trial at a rung unless it is among the best 1/`reduction_factor` that got there.

    Rung k is at `grace_epochs * reduction_factor**k` epochs.

    Args:
        grace_epochs: epochs to the first rung.
        reduction_factor: of so many trials that reach a rung, one goes on.
        minimize: whether values are the better the lower they are.
        trials: of an earlier process; what reached a rung is kept as a user attribute of its trial.
    """

    def __init__(
        self,
        *,
        grace_epochs: int,
        reduction_factor: int,
        minimize: bool,
        trials: Iterable[FrozenTrial] = (),
    ) -> None:
        self._grace_epochs = grace_epochs
        self._reduction_factor = reduction_factor
        self._sign = 1.0 if minimize else -1.0
        self._rungs: list[_Rung] = []
        #: how many rungs a trial has reached, by its number
        self._reached: dict[int, int] = {}
        for trial in trials:
            for rung, value in enumerate(_stored(trial)):
                self._enter(trial.number, rung, value)

    def should_stop(self, trial: Trial, *, epoch: int, value: float) -> bool:
        """Whether a trial stops.

        Args:
            trial: that is asked about.
            epoch: how many it has trained, not counting those on reconstruction alone.
            value: of the penalized objective after it.
        """
        while epoch >= self._grace_epochs * self._reduction_factor ** (
            rung := self._reached.get(trial.number, 0)
        ):
            if math.isnan(value):
                return True
            trial.set_user_attr(_key(rung), {"value": value})
            if not self._enter(trial.number, rung, value):
                return True
        return False

    def _enter(self, number: int, rung: int, value: float) -> bool:
        """Add a value to a rung; return whether its trial goes on."""
        if len(self._rungs) == rung:
            self._rungs.append(_Rung())
        self._reached[number] = rung + 1
        return self._rungs[rung].add(self._sign * value, self._reduction_factor)


class _Rung:
    """Values that reached a rung, signed so that the least is the best, in order."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def add(self, value: float, reduction_factor: int) -> bool:
        """Add a value; return whether its trial goes on."""
        insort(self._values, value)
        # The first trials at a rung go on if they are the best there so far.
        kept = max(len(self._values) // reduction_factor, 1)
        return bisect_left(self._values, value) < kept


def _key(rung: int) -> str:
    """The attribute of a trial with its value at a rung."""
    return f"rung_{rung}"


def _stored(trial: FrozenTrial) -> Iterator[float]:
    rung = 0
    while True:
        # Earlier versions also kept here whether the guards were satisfied.
        if (stored := trial.user_attrs.get(_key(rung))) is not None:
            yield stored["value"]
        # As still earlier ones kept it, under the name of Optuna's own pruner.
        elif (value := trial.system_attrs.get(f"completed_rung_{rung}")) is not None:
            yield value
        else:
            return
        rung += 1
