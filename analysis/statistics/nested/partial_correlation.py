"""Do two measures of trainings go together where the generator's width is the same?

Spearman's rank correlation of what is left of both after the width: of each width's mean where few
widths were tried, else of a parabola in log2 width. The interval is a jackknife over configurations
on Fisher's scale (1921, Metron 1, 3-32).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.statistics.nested.measured import (
    FloatArray,
    Measured,
    groups_of,
    jackknife,
    more_to_tell_from_zero,
)

#: a mask of trainings (n,)
Rows = npt.NDArray[np.bool_]

MIN_CONFIGURATIONS = 8
#: a width counts as one of few where it has at least so many configurations
_MIN_OF_A_WIDTH = 4


@dataclass(frozen=True, kw_only=True)
class PartialCorrelation:
    """Of a measure with quality; None where the data do not allow one."""

    name: str
    rho: float | None
    low: float | None
    high: float | None
    #: whether it differs from 0 beyond doubt
    determined: bool
    more: int | None


def partial_correlation(
    name: str, x: FloatArray, y: FloatArray, *, widths: FloatArray, clusters: FloatArray
) -> PartialCorrelation:
    """Correlate x and y of trainings (n,), the width (n,) held; NaN where unknown.

    `clusters` numbers each training's configuration.
    """
    known = np.isfinite(x) & np.isfinite(y) & np.isfinite(widths)
    x, y, widths, clusters = x[known], y[known], widths[known], clusters[known]
    if np.unique(clusters).size < MIN_CONFIGURATIONS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return PartialCorrelation(
            name=name, rho=None, low=None, high=None, determined=False, more=None
        )
    held = _held(widths, clusters)
    found = _jackknifed(clusters, lambda rows: _fisher(x[rows], y[rows], held[rows]))
    low, high = found.interval()
    return PartialCorrelation(
        name=name,
        rho=math.tanh(found.value),
        low=math.tanh(low),
        high=math.tanh(high),
        determined=found.differs_from_zero,
        more=None if found.differs_from_zero else more_to_tell_from_zero(found, n_trainings=x.size),
    )


def correlation_lead(
    first: FloatArray,
    second: FloatArray,
    y: FloatArray,
    *,
    widths: FloatArray,
    clusters: FloatArray,
) -> Measured | None:
    """How much more strongly y goes with `first` than with `second`, both (n,), signs aside.

    The difference of the absolute values on Fisher's scale; None with too few configurations in
    which everything is known.
    """
    known = np.isfinite(first) & np.isfinite(second) & np.isfinite(y) & np.isfinite(widths)
    first, second, y = first[known], second[known], y[known]
    widths, clusters = widths[known], clusters[known]
    if np.unique(clusters).size < MIN_CONFIGURATIONS:
        return None
    held = _held(widths, clusters)

    def lead(rows: Rows) -> float:
        both = (abs(_fisher(x[rows], y[rows], held[rows])) for x in (first, second))
        ours, theirs = both
        return ours - theirs

    return _jackknifed(clusters, lead)


def _jackknifed(clusters: FloatArray, statistic: Callable[[Rows], float]) -> Measured:
    everything = np.ones(clusters.size, dtype=bool)
    without = np.array([statistic(~group) for group in groups_of(clusters)])
    return jackknife(statistic(everything), without)


def _fisher(x: FloatArray, y: FloatArray, held: FloatArray) -> float:
    """Rank correlation of what `held` (n, k) leaves of x and y, on Fisher's scale."""
    from scipy.stats import rankdata

    a, b = (
        ranks - held @ np.linalg.lstsq(held, ranks, rcond=None)[0]
        for ranks in (rankdata(x), rankdata(y))
    )
    scale = math.sqrt(float(a @ a) * float(b @ b))
    rho = float(a @ b) / scale if scale > 1e-9 else 0.0
    return math.atanh(min(max(rho, -0.9999), 0.9999))


def _held(widths: FloatArray, clusters: FloatArray) -> FloatArray:
    """Columns that explain whatever goes with the width (n, k), the constant among them."""
    _, firsts = np.unique(clusters, return_index=True)
    values, counts = np.unique(np.round(widths[firsts], 6), return_counts=True)
    if counts.min() >= _MIN_OF_A_WIDTH:
        return np.asarray(np.round(widths, 6)[:, None] == values, dtype=np.float64)
    return np.vander(widths - widths.mean(), 3, increasing=True)
