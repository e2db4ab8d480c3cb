"""What the replays of a searcher come to, beside random search and the report's grid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna

from benchmarks.replay.candidates import Candidate
from benchmarks.replay.searchers import Purse
from benchmarks.replay.table import SEEN, FloatArray, Recorded

N_BOOTSTRAP = 300
LEVEL = (0.05, 0.95)
#: costs at which a search's best is looked up, as shares of the budget
GRID = np.linspace(0.005, 1.0, 200)
#: of a budget, what counts when the reference's end is never reached
NEVER = 1.5


@dataclass
class Replays:
    """All replays of a searcher with one budget."""

    name: str
    #: seeds x costs: the winner's value on unseen photos after each cost; infinite before the first
    values: FloatArray
    #: the winner's kernel distance at its training's end, by seed
    judged: FloatArray
    saved: float
    gave_up: float

    @property
    def last(self) -> FloatArray:
        """Each seed's winner at the end of the budget."""
        return self.values[:, -1]


def folds(trainings: Sequence[Recorded]) -> tuple[list[Recorded], list[Recorded]]:
    """Halves of a table, alike in everything: what one teaches is replayed on the other."""
    random = np.random.default_rng(0)
    order = random.permutation(len(trainings))
    half = len(trainings) // 2
    return [trainings[i] for i in order[:half]], [trainings[i] for i in order[half:]]


def replay(
    name: str,
    candidate: Candidate,
    trainings: Sequence[Recorded],
    *,
    seeds: int,
    budget: int,
    whole: bool = False,
) -> Replays:
    """Replay a candidate; odd seeds search one half of the table, even seeds the other.

    With `whole`, all seeds search the whole table, which then has also taught the candidate.
    """
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    halves = (list(trainings), list(trainings)) if whole else folds(trainings)
    made, pools = [], []
    for fold in (0, 1):
        taught, searched = halves[1 - fold], halves[fold]
        made.append(candidate.make(taught))
        inside = candidate.space(taught) if candidate.space else lambda _: True
        pools.append([training for training in searched if inside(training)])
    cost = budget * float(np.mean([whole_cost(training) for training in trainings]))
    values, judged, saved, paid, gave_up, complete = [], [], 0.0, 0.0, 0, 0
    for seed in range(seeds):
        purse = Purse(cost, candidate.shares)
        made[seed % 2](pools[seed % 2], seed, purse)
        values.append(_values_at(purse, cost))
        judged.append(purse.curve[-1][2].judged if purse.curve else math.nan)
        saved, paid = saved + purse.saved, paid + purse.spent
        gave_up += sum(training.gave_up for training in purse.complete)
        complete += len(purse.complete)
    return Replays(
        name,
        np.array(values),
        np.array(judged),
        saved / (saved + paid),
        gave_up / max(complete, 1),
    )


def whole_cost(training: Recorded) -> float:
    """Multiply-adds of a training with its own beginning."""
    return training.beginning_cost + training.epoch_cost * len(training.values[SEEN])


def _values_at(purse: Purse, cost: float) -> FloatArray:
    found = np.full(len(GRID), math.inf)
    for spent, value, _ in purse.curve:
        found[GRID * cost >= spent] = value
    return found


def cost_to_match(ours: FloatArray, reference: FloatArray) -> float:
    """Share of the budget after which the median of `ours` is as good as the reference's end."""
    target = np.median(reference[:, -1])
    reached = np.flatnonzero(np.median(ours, axis=0) <= target)
    return float(GRID[reached[0]]) if reached.size else NEVER


def cost_interval(ours: FloatArray, reference: FloatArray) -> tuple[float, float]:
    """90 % bootstrap interval of `cost_to_match` over seeds."""
    random = np.random.default_rng(0)
    drawn = [
        cost_to_match(
            ours[random.integers(len(ours), size=len(ours))],
            reference[random.integers(len(reference), size=len(reference))],
        )
        for _ in range(N_BOOTSTRAP)
    ]
    low, high = np.quantile(drawn, LEVEL)
    return float(low), float(high)


@dataclass
class Summary:
    """A searcher beside the references, over all budgets."""

    name: str
    cost: float
    interval: tuple[float, float]
    cost_to_grid: float
    better: float
    better_than_grid: float
    median: float
    judged: float
    saved: float
    gave_up: float
    by_budget: dict[int, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()


def summarise(
    of: Mapping[int, Replays], random: Mapping[int, Replays], grid: Mapping[int, Replays]
) -> Summary:
    """Means over the budgets."""
    costs = {b: cost_to_match(of[b].values, random[b].values) for b in of}
    intervals = [cost_interval(of[b].values, random[b].values) for b in of]

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    return Summary(
        name=next(iter(of.values())).name,
        cost=mean(list(costs.values())),
        interval=(mean([low for low, _ in intervals]), mean([high for _, high in intervals])),
        cost_to_grid=mean([cost_to_match(of[b].values, grid[b].values) for b in of]),
        better=mean([share_better(of[b].last, random[b].last) for b in of]),
        better_than_grid=mean([share_better(of[b].last, grid[b].last) for b in of]),
        median=mean([float(np.median(of[b].last)) for b in of]),
        judged=mean([float(np.nanmedian(of[b].judged)) for b in of]),
        saved=mean([of[b].saved for b in of]),
        gave_up=mean([of[b].gave_up for b in of]),
        by_budget=costs,
    )


def share_better(ours: FloatArray, theirs: FloatArray) -> float:
    """How often a search of ours ends better than one of theirs, ties counting half."""
    a, b = ours[:, None], theirs[None]
    return float((a < b).mean() + 0.5 * (a == b).mean())


COLUMNS = (
    "searcher",
    "cost to random's end (90 %)",
    "to the grid's end",
    "beats random",
    "beats the grid",
    "median at the end",
    "kernel distance",
    "saved",
    "gave up",
)


def row(summary: Summary) -> str:
    """A line of the table."""
    low, high = summary.interval
    return (
        f"| {summary.name} | {summary.cost:.2f} ({low:.2f} to {high:.2f}) "
        f"| {summary.cost_to_grid:.2f} | {summary.better:.0%} | {summary.better_than_grid:.0%} "
        f"| {summary.median:.3f} | {summary.judged:.1f} | {summary.saved:.0%} "
        f"| {summary.gave_up:.0%} |"
    )
