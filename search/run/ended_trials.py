"""How the trials of a search ended, and what follows from all of them.

Kept up to date at each end, so that the driver's work for a trial does not grow with the number of
those that went before.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from analysis.leaderboard.colour_order import ColourOrder, TrialColours
from models.metrics.objective import Objective
from search.run.trial_rows import Row, State

#: complete trials, the best ones, that can go on exactly where they ended
KEPT_OPTIMIZERS = 20


@dataclass(frozen=True)
class EndedTrial:
    """How a trial ended."""

    trial_id: str
    state: State
    reason: str | None
    #: the penalized objective at its best epoch; None if it failed or ended before its first epoch
    value: float | None
    #: whether the guards hold there, on the photos that chose it
    feasible: bool
    seconds: float
    #: the trial whose configuration this one trained again
    repeat_of: str | None
    #: what its epochs had taken that another trial had trained
    seconds_saved: float = 0.0
    #: equal for trials that differ in their seeds alone; None where that was not written down
    configuration_id: str | None = None
    #: the objective at its best epoch, without what coming near a guard or breaking it costs
    measured: float | None = None

    def describe_value(self, metric: str) -> str:
        """The objective `metric` at its best epoch, and with the cost of guards if that differs."""
        compared = f"{self.value:.4g}"
        if self.measured is None:
            return f"{metric} {compared} with the cost of guards"
        measured = f"{self.measured:.4g}"
        cost = "" if measured == compared else f" ({compared} with the cost of guards)"
        return f"{metric} {measured}{cost}"

    @classmethod
    def from_row(cls, row: Row, objective: Objective) -> Self:
        """Read a trial's last row of trials.jsonl."""
        return cls(
            row["trial_id"],
            row["state"],
            row["reason"],
            None if row["state"] == "failed" else _penalized(row, objective),
            bool(row.get("feasible")),
            row.get("seconds") or 0.0,
            row.get("repeat_of"),
            row.get("seconds_saved") or 0.0,
            row.get("configuration_id"),
            row.get(objective.metric),
        )


class EndedTrials(Mapping[str, EndedTrial]):
    """The ended trials by their ids, in the order of their ends."""

    def __init__(self, *, minimize: bool) -> None:
        """`minimize`: whether the objective is the better the lower it is."""
        self._sign = 1.0 if minimize else -1.0
        self._ended: dict[str, EndedTrial] = {}
        self._colours = ColourOrder()
        #: trials that searched, and those that trained a configuration again
        self.searched = 0
        self.repeated = 0
        #: trials that searched since the best one of these ended
        self.since_best = 0
        #: of all trials together
        self.seconds = 0.0
        self.seconds_saved = 0.0
        self._least: float | None = None
        #: the best complete trials, best first, the earlier first where they are as good
        self._keeping: list[tuple[float, int, EndedTrial]] = []

    def add(self, ended: EndedTrial) -> EndedTrial | None:
        """Add a trial; return the one that has no longer a reason to keep its optimizers."""
        badness = self._badness(ended)
        self._ended[ended.trial_id] = ended
        self.seconds += ended.seconds
        self.seconds_saved += ended.seconds_saved
        if ended.value is not None:
            # As `analysis.leaderboard.winners` reads it from the run's files.
            complete = ended.state == "complete"
            configuration = ended.configuration_id if complete else None
            is_repeat = complete and ended.repeat_of is not None
            self._colours.add(
                TrialColours(ended.trial_id, badness, ended.feasible, configuration, is_repeat)
            )
        if ended.repeat_of is not None:
            self.repeated += 1
        else:
            self.searched += 1
            self.since_best += 1
            if self._least is None or badness < self._least:
                self._least, self.since_best = badness, 0
        if ended.state != "complete":
            return ended
        insort(self._keeping, (badness, len(self._ended), ended), key=lambda each: each[:2])
        return self._keeping.pop()[2] if len(self._keeping) > KEPT_OPTIMIZERS else None

    @property
    def best(self) -> EndedTrial | None:
        """The trial with the best colours so far."""
        best = self._colours.best
        return best and self._ended[best.trial_id]

    def finalists(self, count: int) -> list[EndedTrial]:
        """The best complete trials that searched, best first."""
        complete = [
            ended
            for ended in self._ended.values()
            if ended.repeat_of is None and ended.state == "complete"
        ]
        return sorted(complete, key=self._badness)[:count]

    def _badness(self, ended: EndedTrial) -> float:
        return math.inf if ended.value is None else self._sign * ended.value

    def __getitem__(self, trial_id: str) -> EndedTrial:
        return self._ended[trial_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ended)

    def __len__(self) -> int:
        return len(self._ended)


def _penalized(row: Row, objective: Objective) -> float | None:
    """As it was written down, by which a trial was chosen; of an earlier version's row anew."""
    stored = row.get("penalized_objective")
    return objective.penalized(row) if stored is None else float(stored)
