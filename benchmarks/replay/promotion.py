"""Pause and promote: every training begins, and the best of them go on from their checkpoints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from benchmarks.replay.searchers import Pool, Purse, distributions
from benchmarks.replay.table import SEEN, Recorded


@dataclass
class _Begun:
    training: Recorded
    epochs: Iterator[tuple[int, float]]
    #: best value so far at each rung that it reached
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Asynchronous successive halving that pauses and goes on, instead of stopping for good.

    Whenever a paused training is among the best 1/`reduction_factor` of those that reached its
    rung, it goes on to the next; else a new one, drawn by TPE, begins.

    Args:
        first: epochs to the first rung; the next are `reduction_factor` times as long each.
        reduction_factor: of how many one goes on.
        start: trainings of another table, the nearest to which begin first.
    """

    first: int = 1
    reduction_factor: int = 2
    start: Sequence[Recorded] = ()

    def __call__(self, trainings: Sequence[Recorded], seed: int, purse: Purse) -> None:
        sampler = TPESampler(multivariate=True, constant_liar=True, seed=seed + 10_000)
        pool, start = Pool(trainings), list(self.start)
        rungs = self._rungs(len(trainings[0].values[SEEN]))
        begun: list[_Begun] = []
        while not purse.empty:
            going_on = self._promoted(begun, len(rungs))
            if going_on is None:
                if not len(pool):
                    return
                place = start.pop(0).place if start else _draw(begun, rungs, sampler)
                training = pool.take(pool.nearest(place))
                going_on = _Begun(training, purse.train(training))
                begun.append(going_on)
            best = going_on.values[-1] if going_on.values else np.inf
            for epoch, value in going_on.epochs:
                best = min(best, value)
                if epoch == rungs[len(going_on.values)]:
                    going_on.values.append(best)
                    if epoch < rungs[-1]:
                        break

    def _rungs(self, n_epochs: int) -> list[int]:
        lengths = (self.first * self.reduction_factor**k for k in itertools.count())
        return [*itertools.takewhile(lambda length: length < n_epochs, lengths), n_epochs]

    def _promoted(self, begun: Sequence[_Begun], n_rungs: int) -> _Begun | None:
        for rung in range(n_rungs - 2, -1, -1):
            reached = sorted(
                (each for each in begun if len(each.values) > rung),
                key=lambda each: each.values[rung],
            )
            for each in reached[: len(reached) // self.reduction_factor]:
                if len(each.values) == rung + 1:
                    return each
        return None


def _draw(begun: Sequence[_Begun], rungs: Sequence[int], sampler: TPESampler) -> np.ndarray:
    """A place that TPE draws, from what is known of all that began."""
    study = optuna.create_study(sampler=sampler)
    space = distributions()
    for each in begun:
        if each.values:
            whole = len(each.values) == len(rungs)
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE if whole else TrialState.PRUNED,
                    params={
                        name: float(np.clip(number, 0.0, 1.0))
                        for name, number in zip(space, each.training.place, strict=True)
                    },
                    distributions=space,
                    value=each.values[-1],
                    intermediate_values=dict(zip(rungs, each.values, strict=False)),
                )
            )
    drawn = study.ask(space)
    return np.array([drawn.params[name] for name in space])
