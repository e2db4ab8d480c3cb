"""Asynchronous successive halving (ASHA) with an eye for guards, at a cost that does not grow.

Li et al. 2020, https://arxiv.org/abs/1810.05934. Among trials that all satisfy the guards, or none
of which does, Optuna's `SuccessiveHalvingPruner` decides the same; but it looks at all trials each
time, and stops trials that satisfy the guards for being behind others that do not and that can
never win. A pruner of Optuna is not told of guards; therefore this is none.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from optuna.trial import FrozenTrial, Trial


class SuccessiveHalving:
    """Stops a trial at a rung unless it is among the best 1/`reduction_factor` that got there.

    One that satisfies the guards there goes on too if it is among the best such part of those that
    do. Rung k is at `grace_epochs * reduction_factor**k` epochs.

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
            for rung, entry in enumerate(_stored(trial)):
                self._enter(trial.number, rung, entry)

    def should_stop(
        self,
        trial: Trial,
        *,
        epoch: int,
        value: float,
        feasible: bool,
        beginning: str | None = None,
    ) -> bool:
        """Whether a trial stops after an epoch.

        Args:
            trial: that is asked about.
            epoch: its last epoch.
            value: of the objective after it.
            feasible: whether the guards were satisfied then.
            beginning: what tells shared beginnings apart, if the epoch belongs to one: at a rung
                each of them counts once, or the first good one would stop all others by its
                number.
        """
        while epoch >= self._grace_epochs * self._reduction_factor ** (
            rung := self._reached.get(trial.number, 0)
        ):
            if math.isnan(value):
                return True
            entry = _Entry(value, feasible, beginning)
            trial.set_user_attr(
                _key(rung), {k: v for k, v in entry._asdict().items() if v is not None}
            )
            if not self._enter(trial.number, rung, entry):
                return True
        return False

    def _enter(self, number: int, rung: int, entry: _Entry) -> bool:
        if len(self._rungs) == rung:
            self._rungs.append(_Rung())
        self._reached[number] = rung + 1
        signed = entry._replace(value=self._sign * entry.value)
        return self._rungs[rung].add(signed, self._reduction_factor)


class _Entry(NamedTuple):
    """What a trial brings to a rung."""

    value: float
    feasible: bool
    beginning: str | None = None


class _Rung:
    """Values that reached a rung, signed so that the least is the best, in order."""

    def __init__(self) -> None:
        self._all: list[float] = []
        self._feasible: list[float] = []
        self._beginnings: set[str] = set()

    def add(self, entry: _Entry, reduction_factor: int) -> bool:
        """Add a value, unless its beginning is there; return whether its trial goes on."""
        value, feasible, beginning = entry
        goes_on = False
        for values in (self._all, self._feasible) if feasible else (self._all,):
            if beginning not in self._beginnings:
                insort(values, value)
            # The first trials at a rung go on if they are the best there so far.
            kept = max(len(values) // reduction_factor, 1)
            goes_on |= bisect_left(values, value) < kept
        if beginning is not None:
            self._beginnings.add(beginning)
        return goes_on


def _key(rung: int) -> str:
    """The attribute of a trial with its value at a rung and whether it satisfied the guards."""
    return f"rung_{rung}"


def _stored(trial: FrozenTrial) -> Iterator[_Entry]:
    rung = 0
    while True:
        if (stored := trial.user_attrs.get(_key(rung))) is not None:
            yield _Entry(**stored)
        # As earlier versions kept it, under the names of Optuna's own pruner.
        elif (value := trial.system_attrs.get(f"completed_rung_{rung}")) is not None:
            yield _Entry(value, f"feasible_at_rung_{rung}" in trial.system_attrs)
        else:
            return
        rung += 1
