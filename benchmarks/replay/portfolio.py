"""Start points that a table teaches: a greedy portfolio of its trainings, by gain for its cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from benchmarks.replay.table import SEEN, FloatArray, Recorded

#: a start point elsewhere does as well as one of so many trainings near it here
NEIGHBOURS = 4
N_CONTEXTS = 400


def portfolio(trainings: Sequence[Recorded], n: int) -> list[Recorded]:
    """So many trainings, the first of which promises most for its cost, and so on.

    What a training promises elsewhere (other photos, another seed) is drawn from the trainings near
    it: a single good result may be luck. A training adds what the best of the portfolio gains by
    it, in ranks, divided by its multiply-adds, those of a beginning that is already in counting
    nothing (Hutter's "parametric portfolios" call this greedy marginal contribution).
    """
    random = np.random.default_rng(0)
    promised = _contexts(trainings, random)
    best = np.full(N_CONTEXTS, float(len(trainings)))
    chosen: list[Recorded] = []
    begun: set[tuple[object, ...]] = set()
    for _ in range(min(n, len(trainings))):
        gains = np.maximum(best[:, None] - promised, 0.0).mean(axis=0)
        costs = np.array([_cost(training, begun) for training in trainings])
        index = int(np.argmax(gains / costs))
        chosen.append(trainings[index])
        begun.add(trainings[index].beginning)
        best = np.minimum(best, promised[:, index])
        promised[:, index] = np.inf
    return chosen


def _contexts(trainings: Sequence[Recorded], random: np.random.Generator) -> FloatArray:
    """What each training is drawn to be worth in each context, in ranks; smaller is better."""
    places = np.array([training.place for training in trainings])
    ranks = rankdata([training.values[SEEN].min() for training in trainings])
    distances = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    near = np.argsort(distances, axis=1)[:, :NEIGHBOURS]
    drawn = random.integers(near.shape[1], size=(N_CONTEXTS, len(trainings)))
    return ranks[np.take_along_axis(near, drawn.T, axis=1)].T


def _cost(training: Recorded, begun: set[tuple[object, ...]]) -> float:
    own = training.epoch_cost * len(training.values[SEEN])
    return own + (0.0 if training.beginning in begun else training.beginning_cost)
