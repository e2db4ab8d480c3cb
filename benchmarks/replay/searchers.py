"""The searchers that are replayed. Each spends a budget on trainings of a table.

A searcher that draws a configuration gets the nearest recorded one that it has not had yet, and its
study hears of that one, so that it learns from what was really trained.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.replay.table import LOG_RANGES, SEEN, UNSEEN, FloatArray, Recorded, place_of
from search.study.halving import SuccessiveHalving

#: standard deviation of what is drawn around a good place, as a share of each number's range
SPREAD = 0.15


@dataclass
class Purse:
    """What a search has spent, and its best so far after each epoch that it paid for."""

    budget: float
    #: whether trainings with the same beginning pay for it once
    shares: bool
    spent: float = 0.0
    best: float = math.inf
    #: (spent, the winner's value on unseen photos, its training), a point whenever the best changes
    curve: list[tuple[float, float, Recorded]] = field(default_factory=list)
    saved: float = 0.0
    complete: list[Recorded] = field(default_factory=list)
    _begun: set[tuple[Any, ...]] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        """Whether the budget is spent."""
        return self.spent >= self.budget

    def knows(self, training: Recorded) -> bool:
        """Whether the training's beginning is paid for."""
        return not training.beginning_cost or (self.shares and training.beginning in self._begun)

    def train(self, training: Recorded) -> Iterator[tuple[int, float]]:
        """Pay for a training, epoch by epoch; yields each epoch with its value."""
        if self.knows(training):
            self.saved += training.beginning_cost
        else:
            self.spent += training.beginning_cost
            self._begun.add(training.beginning)
        values = training.values[SEEN]
        for epoch, value in enumerate(values, start=1):
            self.spent += training.epoch_cost
            if value < self.best:
                self.best = float(value)
                unseen = float(training.values[UNSEEN][epoch - 1])
                self.curve.append((self.spent, unseen, training))
            yield epoch, float(value)
            if self.empty:
                return
        self.complete.append(training)


class Pool:
    """Recorded trainings that a search may still draw."""

    def __init__(self, trainings: Sequence[Recorded]) -> None:
        self._left = list(trainings)
        self._places = np.array([training.place for training in trainings])

    def __len__(self) -> int:
        return len(self._left)

    def nearest(self, place: np.ndarray, *, among: Callable[[Recorded], bool] | None = None) -> int:
        """The index of the training nearest to a place of the unit cube."""
        distance = ((self._places - place) ** 2).sum(axis=1)
        if among is not None:
            distance[[not among(training) for training in self._left]] = math.inf
        return int(np.argmin(distance))

    def take(self, index: int) -> Recorded:
        """Take a training out."""
        self._places = np.delete(self._places, index, axis=0)
        return self._left.pop(index)

    @property
    def left(self) -> Sequence[Recorded]:
        """What nobody has taken."""
        return self._left


Run = Callable[[Sequence[Recorded], int, Purse], None]


def random_search(trainings: Sequence[Recorded], seed: int, purse: Purse) -> None:
    """Every training to its end, in random order."""
    order = np.random.default_rng(seed).permutation(len(trainings))
    for index in order:
        for _ in purse.train(trainings[index]):
            pass
        if purse.empty:
            return


def grid_search(grid: Sequence[dict[str, Any]]) -> Run:
    """The trainings nearest to a grid's points, in a random order of the points, to their ends."""

    def run(trainings: Sequence[Recorded], seed: int, purse: Purse) -> None:
        pool = Pool(trainings)
        order = np.random.default_rng(seed).permutation(len(grid))
        while pool and not purse.empty:
            for i in order:
                if not len(pool) or purse.empty:
                    return
                for _ in purse.train(pool.take(pool.nearest(place_of(grid[i])))):
                    pass

    return run


@dataclass(frozen=True, kw_only=True)
class Tpe:
    """Our search: TPE with early stopping, start points and the price of beginnings, or less.

    Args:
        multivariate: draw the numbers jointly, as our search does.
        grace_epochs: epochs to the first rung of successive halving; None: no early stopping.
        start: trainings of another table, the nearest to which are asked first.
        thrift: ask a new beginning only while beginnings have cost at most this multiple of what
            branches have; None: always as drawn.
        branches: ask a new beginning only after so many trials for each that is there; until then
            branch from the beginning of one of the best quarter of the trials so far.
        sampler: made from a seed, instead of TPE.
        prior: share of the trials drawn around the start points or the best so far, half each,
            instead of from TPE (PriorBand's mixture, Mallik et al. 2023).
        constrained: the sampler sees the plain metric, and the penalties as a constraint (c-TPE,
            Watanabe and Hutter 2023) instead of their sum.
    """

    multivariate: bool = True
    grace_epochs: int | None = None
    reduction_factor: int = 3
    start: Sequence[Recorded] = ()
    thrift: float | None = None
    branches: int | None = None
    sampler: Callable[[int], BaseSampler] | None = None
    prior: float = 0.0
    constrained: bool = False

    def __call__(self, trainings: Sequence[Recorded], seed: int, purse: Purse) -> None:
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study()
        space = distributions()
        sampler = (
            self.sampler(seed)
            if self.sampler
            else TPESampler(
                multivariate=self.multivariate,
                constant_liar=True,
                seed=seed + 10_000,
            )
        )
        pool = Pool(trainings)
        halving = self.grace_epochs and SuccessiveHalving(
            grace_epochs=self.grace_epochs,
            reduction_factor=self.reduction_factor,
            minimize=True,
        )
        start = list(self.start)
        on_beginnings = on_branches = 0.0
        random = np.random.default_rng(seed)
        done: list[tuple[float, Recorded]] = []
        while len(pool) and not purse.empty:
            if start:
                index = pool.nearest(start.pop(0).place)
            else:
                study.sampler = sampler
                drawn = study.ask(space)
                place = np.array([drawn.params[name] for name in space])
                if self.start and random.random() < self.prior:
                    place = self._near_good(done, random)
                known = None
                if self.thrift is not None and on_beginnings > self.thrift * on_branches:
                    known = purse.knows
                    if not any(map(known, pool.left)):
                        known = None
                begun = len({t.beginning for _, t in done})
                if self.branches and len(done) >= 3 and begun * self.branches > len(done):
                    good = sorted(done, key=lambda pair: pair[0])[: max(1, len(done) // 4)]
                    known = partial(_same_beginning, good[random.integers(len(good))][1])
                    if not any(map(known, pool.left)):
                        known = None
                index = pool.nearest(place, among=known)
                study.tell(drawn, state=TrialState.FAIL)
            training = pool.take(index)
            trial = _ask_exactly(study, training, space)
            before, knew = purse.spent, purse.knows(training)
            best = math.inf
            stopped = False
            for epoch, value in purse.train(training):
                best = min(best, value)
                if halving and halving.should_stop(trial, epoch=epoch, value=best):
                    stopped = epoch < len(training.values[SEEN])
                    trial.report(best, epoch)
                    break
            cost = purse.spent - before
            done.append((best, training))
            on_beginnings += 0.0 if knew else training.beginning_cost
            on_branches += cost - (0.0 if knew else training.beginning_cost)
            if self.constrained:
                penalty = float(training.penalties[int(np.argmin(training.values[SEEN][:epoch]))])
                trial.set_constraint("guards", penalty)
                best -= penalty
            if not math.isfinite(best):
                study.tell(trial, state=TrialState.FAIL)
            elif stopped:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, best)

    def _near_good(
        self, done: Sequence[tuple[float, Recorded]], random: np.random.Generator
    ) -> FloatArray:
        best = min(done, key=lambda pair: pair[0])[1] if done else self.start[0]
        centre = best if random.random() < 0.5 else self.start[random.integers(len(self.start))]
        return np.clip(centre.place + random.normal(0.0, SPREAD, len(centre.place)), 0.0, 1.0)


def _same_beginning(one: Recorded, other: Recorded) -> bool:
    return one.beginning == other.beginning


def distributions() -> dict[str, BaseDistribution]:
    """Places in the unit cube; what does not vary among the trainings is fixed by snapping."""
    names = (*LOG_RANGES, "pretrain_epochs")
    return {name: FloatDistribution(0.0, 1.0) for name in names}


def _ask_exactly(
    study: optuna.Study, training: Recorded, space: dict[str, BaseDistribution]
) -> Trial:
    place = {
        name: min(1.0, max(0.0, float(v))) for name, v in zip(space, training.place, strict=True)
    }
    study.enqueue_trial(place)
    return study.ask(space)
