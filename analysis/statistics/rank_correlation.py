"""Which ratio orders the drifts best: Spearman's rank correlation with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

MIN_CONFIGURATIONS = 8


@dataclass(frozen=True, kw_only=True)
class RankCorrelation:
    """Spearman's rank correlation of one ratio with the drift; None where undetermined."""

    name: str
    rho: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The correlations, strongest first, and whether the first is stronger beyond doubt."""

    correlations: tuple[RankCorrelation, ...]
    #: name of the best predictor, None when the data do not determine it
    best: str | None


def compare_predictors(
    predictors: Mapping[str, FloatArray],
    drift: FloatArray,
    *,
    confidence: float = 0.90,
    n_draws: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Correlate the ranks of each predictor with those of the drift.

    Args:
        predictors: values of each configuration by name, each (n,).
        drift: mean drift of each configuration (n,).
        confidence: of the intervals.
        n_draws: of the bootstrap that weighs configurations (Rubin 1981).
        seed: of the bootstrap.

    Returns:
        `best` names the strongest correlation when, in the draws, its absolute value exceeds that
        of the second at that confidence.
    """
    n = drift.size
    names = list(predictors)
    usable = [name for name in names if np.ptp(predictors[name]) > 0] if n else []
    if n < MIN_CONFIGURATIONS or np.ptp(drift) == 0 or not usable:
        none = (RankCorrelation(name=name, rho=None, low=None, high=None) for name in names)
        return Comparison(correlations=tuple(none), best=None)
    draws = np.random.default_rng(seed).exponential(size=(n_draws, n))
    weights = np.vstack([np.ones((1, n)), draws])
    drift_ranks = _ranks(drift)
    rho = {name: _correlation(_ranks(predictors[name]), drift_ranks, weights) for name in usable}
    usable.sort(key=lambda name: -abs(rho[name][0]))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = []
    for name in [*usable, *(name for name in names if name not in usable)]:
        if name in rho:
            low, high = np.quantile(rho[name][1:], tails)
            value, low, high = float(rho[name][0]), float(low), float(high)
            found.append(RankCorrelation(name=name, rho=value, low=low, high=high))
        else:
            found.append(RankCorrelation(name=name, rho=None, low=None, high=None))
    return Comparison(correlations=tuple(found), best=_best(usable, rho, tails[0]))


def _best(usable: list[str], rho: Mapping[str, FloatArray], tail: float) -> str | None:
    first = np.abs(rho[usable[0]][1:])
    for name in usable[1:]:
        if np.quantile(first - np.abs(rho[name][1:]), tail) <= 0:
            return None
    return usable[0] if len(usable) > 1 else None


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 0, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    ranks: FloatArray = (first + (counts - 1) / 2)[inverse]
    return ranks


def _correlation(a: FloatArray, b: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted Pearson correlation under each row of weights (n_rows, n) -> (n_rows,)."""
    total = weights.sum(axis=1)
    mean_a, mean_b = weights @ a / total, weights @ b / total
    covariance = weights @ (a * b) / total - mean_a * mean_b
    variance_a = weights @ (a * a) / total - mean_a**2
    variance_b = weights @ (b * b) / total - mean_b**2
    correlation: FloatArray = covariance / np.sqrt(np.maximum(variance_a * variance_b, 1e-300))
    return correlation
