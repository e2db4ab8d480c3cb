"""Which trials of a long study a sampler is shown.

TPE models all trials at each draw, so that a draw of a search of thousands takes longer than all
the rest of a trial's bookkeeping. What it needs is the best trials, which it draws near to, and a
picture of where the others lie; of those some hundred are nearly as good as thousands.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

#: at so many trials TPE begins to see only some: of 250 it takes 25 for good ones, as of all
LIMIT = 250
#: the best are always seen: TPE draws near to the best 25 at most
BEST = 50


class Picture:
    """At most `LIMIT` finished trials: the best, and others spread evenly over the search.

    It takes up each trial once, when it has finished, so that a long search costs no more than a
    short one; it depends only on which trials have finished, not on the order in which they did.
    """

    def __init__(self) -> None:
        self._finished: list[int] = []
        self._best: list[tuple[tuple[float, ...], int]] = []

    def add(self, number: int, rank: tuple[float, ...] | None) -> None:
        """Take up a finished trial.

        Args:
            number: of the trial, which comes once.
            rank: how good it is, the best with the least; None when there is no telling, as with
                several objectives.
        """
        insort(self._finished, number)
        if rank is not None:
            insort(self._best, (rank, number))
            del self._best[BEST:]

    def numbers(self) -> list[int]:
        """The numbers of the trials that are shown, in no order."""
        if len(self._finished) <= LIMIT:
            return list(self._finished)
        best = sorted(number for _, number in self._best)
        # Where the best are among the finished, and how many of the rest are before each.
        before = [bisect_left(self._finished, number) - i for i, number in enumerate(best)]
        rest = len(self._finished) - len(best)
        spread = np.linspace(0, rest - 1, LIMIT - len(best)).round().astype(int)
        places = spread + np.searchsorted(before, spread, side="right")
        return [*best, *(self._finished[place] for place in places)]


class StudyPicture:
    """The picture of a study, brought up to date at each look."""

    def __init__(self) -> None:
        self._picture = Picture()
        self._unfinished: list[int] = []
        self._known = 0
        self._directions: list[StudyDirection] = []

    def show(self, study: Study) -> list[FrozenTrial] | None:
        """The trials to show, in their order, all that have not finished among them.

        None when that is all there are.
        """
        trials = study.get_trials(deepcopy=False)
        self._directions = self._directions or study.directions
        look_at = [*self._unfinished, *range(self._known, len(trials))]
        self._known = len(trials)
        self._unfinished = []
        for number in look_at:
            if trials[number].state.is_finished():
                self._picture.add(number, _rank(trials[number], self._directions))
            else:
                self._unfinished.append(number)
        if len(trials) <= LIMIT:
            return None
        return [trials[n] for n in sorted([*self._picture.numbers(), *self._unfinished])]


def _rank(
    trial: FrozenTrial, directions: list[StudyDirection]
) -> tuple[float, float, float] | None:
    """Less is better, in the order in which TPE takes trials for good ones."""
    if len(directions) > 1:
        return None
    sign = 1.0 if directions[0] == StudyDirection.MINIMIZE else -1.0
    violation = sum(max(0.0, each) for each in trial.constraints.values())
    if violation > 0:
        return 2, violation, 0.0
    if trial.state == TrialState.COMPLETE and trial.value is not None:
        return 0, sign * trial.value, 0.0
    last = trial.last_step
    if trial.state == TrialState.PRUNED and last is not None:
        return 1, -float(last), sign * trial.intermediate_values[last]
    return 3, 0.0, 0.0
