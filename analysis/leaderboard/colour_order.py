"""Which trial has the best colours: the one order that the whole program goes by.

The driver of a search (best so far) and whatever reads a run (leaderboard, report, dashboard,
`export`, `train`) ask here, so that no two of them disagree about which of two trials is better:

1. configurations that were trained again, and whose repeats all satisfy the guards, before others;
2. the penalized objective (`models.metrics.objective`): of a configuration that was trained again
   the mean over its repeats, or that of its worst trial where a repeat breaks a guard; else of the
   trial itself, at its best epoch, whether it is complete or was stopped early;
3. among trials of one configuration, the own penalized objective; then the lower trial number.

Guards do not exclude a trial: whether a metric lies a hair above or below a bound is chance, and
what coming near it costs is in the penalized objective already. Whoever shows or exports the best
colours says when they break one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple


class TrialColours(NamedTuple):
    """What a trial that ended well shows of its colours."""

    trial_id: str
    #: the penalized objective, lower is better; infinite where there is none
    badness: float
    #: whether the guards hold
    feasible: bool
    #: equal for complete trials that differ in their seeds alone; None: like no other's
    configuration: str | None = None
    #: whether it trained again what an earlier trial had found good
    is_repeat: bool = False


class ColourOrder:
    """The best colours of the trials that were added, in whatever order they were.

    To add a trial takes the same time however many there are, but for a repeat that makes the best
    configuration worse.
    """

    def __init__(self) -> None:
        self._configurations: dict[tuple[bool, str], _Configuration] = {}
        self._leader: _Configuration | None = None

    @property
    def best(self) -> TrialColours | None:
        """The trial with the best colours; None while there is none."""
        return None if self._leader is None else min(self._leader.trials, key=_own)

    def add(self, trial: TrialColours) -> None:
        """Add a trial that is complete, or was stopped after it had been measured."""
        shared = trial.configuration is not None
        name = shared, trial.configuration or trial.trial_id
        configuration = self._configurations.setdefault(name, _Configuration())
        before = None if self._leader is None else self._leader.key
        configuration.add(trial)
        if before is None or configuration.key < before:
            self._leader = configuration
        elif configuration is self._leader:
            self._leader = min(self._configurations.values(), key=lambda each: each.key)


_Key = tuple[bool, float, tuple[float, int, str]]


@dataclass
class _Configuration:
    trials: list[TrialColours] = field(default_factory=list)
    #: smaller is better
    key: _Key = (True, math.inf, (math.inf, 0, ""))

    def add(self, trial: TrialColours) -> None:
        self.trials.append(trial)
        repeats = [each for each in self.trials if each.is_repeat and each.configuration]
        holds = bool(repeats) and all(each.feasible for each in repeats)
        if holds:
            badness = math.fsum(each.badness for each in repeats) / len(repeats)
        elif repeats:
            badness = max(each.badness for each in self.trials)
        else:
            badness = min(each.badness for each in self.trials)
        self.key = not holds, badness, min(map(_own, self.trials))


def _own(trial: TrialColours) -> tuple[float, int, str]:
    return trial.badness, len(trial.trial_id), trial.trial_id
