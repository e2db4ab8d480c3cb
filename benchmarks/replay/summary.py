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
    #: the winner's value with another seed, NaN where it has none
    again: FloatArray
    saved: float
    gave_up: float
    #: share of the seeds that tried all trainings there are before their budget was spent
    emptied: float

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


def pools(
    candidate: Candidate, trainings: Sequence[Recorded]
) -> list[tuple[list[Recorded], list[Recorded]]]:
    """What teaches a candidate and what it searches, a pair for each kind of seed."""
    table = [training for training in trainings if training.plan != "near"]
    if candidate.near:
        pairs = [(table, [training for training in trainings if training.plan == "near"])]
    else:
        first, second = folds(table)
        pairs = [(second, first), (first, second)]
    return [
        (taught, [t for t in searched if candidate.space is None or candidate.space(taught)(t)])
        for taught, searched in pairs
    ]


def replay(
    name: str,
    candidate: Candidate,
    trainings: Sequence[Recorded],
    *,
    seeds: int,
    budget: int,
) -> Replays:
    """Replay a candidate with a budget of so many whole trainings of the table."""
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pairs = pools(candidate, trainings)
    made = [candidate.make(taught) for taught, _ in pairs]
    table = [training for training in trainings if training.plan != "near"]
    cost = budget * float(np.mean([whole_cost(training) for training in table]))
    values, again, judged = [], [], []
    saved, paid, gave_up, complete, emptied = 0.0, 0.0, 0, 0, 0
    for seed in range(seeds):
        purse = Purse(cost, candidate.shares)
        kind = seed % len(pairs)
        made[kind](pairs[kind][1], seed, purse)
        values.append(_values_at(purse, cost))
        winner = purse.curve[-1][2] if purse.curve else None
        judged.append(winner.judged if winner else math.nan)
        again.append(winner.again if winner else math.nan)
        saved, paid = saved + purse.saved, paid + purse.spent
        gave_up += sum(training.gave_up for training in purse.complete)
        complete += len(purse.complete)
        emptied += not purse.empty
    return Replays(
        name,
        np.array(values),
        judged=np.array(judged),
        again=np.array(again),
        saved=saved / (saved + paid),
        gave_up=gave_up / max(complete, 1),
        emptied=emptied / seeds,
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
    again: float
    judged: float
    saved: float
    gave_up: float
    emptied: float
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
        again=mean([_known_median(of[b].again) for b in of]),
        judged=mean([_known_median(of[b].judged) for b in of]),
        saved=mean([of[b].saved for b in of]),
        gave_up=mean([of[b].gave_up for b in of]),
        emptied=mean([of[b].emptied for b in of]),
        by_budget=costs,
    )


def _known_median(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


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
    "other seed",
    "kernel distance",
    "saved",
    "gave up",
    "emptied",
)


def row(summary: Summary) -> str:
    """A line of the table."""
    low, high = summary.interval
    return (
        f"| {summary.name} | {summary.cost:.2f} ({low:.2f} to {high:.2f}) "
        f"| {summary.cost_to_grid:.2f} | {summary.better:.0%} | {summary.better_than_grid:.0%} "
        f"| {summary.median:.3f} | {summary.again:.3f} | {summary.judged:.1f} "
        f"| {summary.saved:.0%} | {summary.gave_up:.0%} | {summary.emptied:.0%} |"
    )
