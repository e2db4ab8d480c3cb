"""How well a measure on some photos agrees with the judge on others, over trained generators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

FloatArray = npt.NDArray[np.float64]

N_BOOTSTRAP = 2000
#: ends of the intervals
LEVEL = (0.05, 0.95)
#: a search's number of trials, from which the candidate picks one
PICK_FROM = 20
N_PICKS = 4000


class Interval(NamedTuple):
    """A figure with its 90 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def spearman(x: FloatArray, y: FloatArray) -> float:
    """Rank correlation, ties at their mean rank; NaN where one does not vary."""
    return _pearson(rankdata(x), rankdata(y))


def _pearson(x: FloatArray, y: FloatArray) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale > 0 else float("nan")


def resamples(groups: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """Bootstrap draws of generators; those that share a beginning are drawn together.

    Branches of one beginning are more alike than others, so intervals over single generators
    would be too narrow.
    """
    random = np.random.default_rng(0)
    names, labels = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(labels == i) for i in range(len(names))]
    return [
        np.concatenate([members[i] for i in random.integers(len(members), size=len(members))])
        for _ in range(N_BOOTSTRAP)
    ]


def spearman_interval(
    x: FloatArray, y: FloatArray, draws: Sequence[npt.NDArray[np.int64]]
) -> Interval:
    """Rank correlation of generators with its interval."""
    drawn = np.array([spearman(x[draw], y[draw]) for draw in draws])
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, LEVEL) if known.size else (np.nan, np.nan)
    return Interval(spearman(x, y), float(low), float(high))


def within(x: FloatArray, y: FloatArray, groups: Sequence[str]) -> float:
    """Rank correlation of what the branches of one beginning differ by (its mean rank removed)."""
    labels = np.unique(groups, return_inverse=True)[1]

    def centred(values: FloatArray) -> FloatArray:
        ranks = rankdata(values)
        means = np.bincount(labels, ranks) / np.bincount(labels)
        return ranks - means[labels]

    return _pearson(centred(x), centred(y))


def relative_noise(a: FloatArray, b: FloatArray) -> float:
    """Noise of a half of the photos over the spread of the generators.

    The standard deviation of what the halves say differently of a generator (their common
    difference taken out) over the square root of 2, over that of the generators' means.
    """
    difference = a - b
    spread = (0.5 * (a + b)).std(ddof=1)
    return float(difference.std(ddof=1) / np.sqrt(2.0) / spread) if spread > 0 else float("nan")


def mean_regret(x: FloatArray, judged: FloatArray) -> float:
    """Judge of the pick minus that of the best, over random searches of 20 generators."""
    random = np.random.default_rng(0)
    size = min(PICK_FROM, len(x))
    regrets = []
    for _ in range(N_PICKS):
        draw = random.choice(len(x), size=size, replace=False)
        regrets.append(judged[draw[np.argmin(x[draw])]] - judged[draw].min())
    return float(np.mean(regrets))
