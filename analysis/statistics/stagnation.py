"""Does a loss curve rise, fall or stagnate over the last half of training?

The trend line is Theil and Sen's (Sen 1968, JASA 63, 1379-1389): the median of the slopes between
all pairs of points, untouched by outliers. Its interval is Sen's, from the distribution of
Kendall's S, whose variance is inflated for autocorrelated residuals as by Hamed and Rao (1998, J.
Hydrology 204, 182-196, eq. 15) with the autocorrelation of a first-order process. docs/balance.md
states how often it is right on curves of known truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
TrendName = Literal["rising", "stagnant", "falling", "unclear"]

#: a drift within this many per cent of the level over the last half of training counts as stagnant
TOLERANCE_PERCENT = 10.0
CONFIDENCE = 0.90
#: fewer points than this in the last half give no interval
MIN_POINTS = 8
#: the last half is averaged in blocks down to this many points; the longer the blocks, the less the
#: blocks' averages depend on how the noise is correlated within them
MAX_POINTS = 24
_MAX_AUTOCORRELATION = 0.97


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Trend of one curve over the last half of training; drifts in per cent of the level."""

    #: change of the trend line from the middle to the end, None where there is nothing to measure
    drift: float | None
    #: ends of the 90 % interval of the drift, None where the points do not determine it
    low: float | None
    high: float | None
    trend: TrendName
    #: median of the last half
    level: float | None
    #: finite points in the last half
    n_points: int
    #: a few words on why the trend is what it is
    reason: str


def trend_of(
    values: Sequence[float | None],
    *,
    steps: Sequence[float | None] | None = None,
    tolerance: float = TOLERANCE_PERCENT,
    confidence: float = CONFIDENCE,
) -> Trend:
    """Measure the drift of a curve over the last half of training.

    Args:
        values: the curve; None and non-finite values are holes.
        steps: position of each value (default: equally spaced).
        tolerance: largest drift, in per cent of the level, that still counts as stagnant.
        confidence: of the interval, in (0, 1).

    Returns:
        `rising` or `falling` when the whole interval lies beyond the tolerance, `stagnant` when it
        lies within, `unclear` otherwise: also for curves that are short, constant or full of holes.
        Never raises for what a curve may hold.
    """
    x, y = last_half(values, steps)
    n = y.size
    if n < 3:
        return _unclear("fewer than 3 points", n_points=n)
    level = float(np.median(y))
    spread = float(np.max(y) / 2 - np.min(y) / 2) * 2
    span = float(x[-1] - x[0])
    if not math.isfinite(spread) or abs(level) > 1e300 or not 0 < span < math.inf:
        return _unclear("its numbers are out of range", n_points=n)
    if abs(level) <= 1e-12 * max(1.0, spread):
        return _unclear("its level is zero", n_points=n, level=level)
    if spread <= 1e-12 * abs(level):
        return _unclear("the curve is constant", n_points=n, level=level, drift=0.0)
    x, y = block_means(x, y, MAX_POINTS)
    slopes = _pair_slopes(x, y)
    slope = float(np.median(slopes))
    to_percent = 100.0 * span / abs(level)
    drift = slope * to_percent
    if n < MIN_POINTS:
        return _unclear(f"fewer than {MIN_POINTS} points", n_points=n, level=level, drift=drift)
    interval = _slope_interval(slopes, y - slope * x, confidence)
    if interval is None:
        return _unclear("too few independent points", n_points=n, level=level, drift=drift)
    low, high = interval[0] * to_percent, interval[1] * to_percent
    trend, reason = _decide(low, high, tolerance)
    return Trend(
        drift=drift, low=low, high=high, trend=trend, level=level, n_points=n, reason=reason
    )


def last_half(
    values: Sequence[float | None], steps: Sequence[float | None] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Positions and values (n,), (n,) of the finite points in the last half of a curve.

    The half is that of the points that exist: a loss that is null during pre-training starts where
    it first has a value.
    """
    x, y = finite_points(values, steps)
    if y.size == 0:
        return x, y
    keep = x >= (x[0] + x[-1]) / 2
    return x[keep], y[keep]


def finite_points(
    values: Sequence[float | None], steps: Sequence[float | None] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Positions and values of the points that exist, ordered by position."""
    y = as_floats(values)
    x = np.arange(y.size, dtype=np.float64) if steps is None else as_floats(steps)
    if x.size != y.size:
        raise ValueError(f"steps must have one entry per value, but got {x.size} for {y.size}")
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def as_floats(values: Sequence[float | None]) -> FloatArray:
    """Values (n,) as float64, with NaN for whatever is no number."""
    try:
        return np.array(values, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError, OverflowError):
        return np.array([_as_float(v) for v in values], dtype=np.float64)


def _as_float(value: object) -> float:
    try:
        return float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:
        return math.nan


def block_means(x: FloatArray, y: FloatArray, n_blocks: int) -> tuple[FloatArray, FloatArray]:
    """Average runs of neighbours of nearly equal length, so that at most `n_blocks` remain."""
    if y.size <= n_blocks:
        return x, y
    edges = np.linspace(0, y.size, n_blocks + 1).astype(np.intp)
    counts = np.diff(edges)
    return np.add.reduceat(x, edges[:-1]) / counts, np.add.reduceat(y, edges[:-1]) / counts


def _pair_slopes(x: FloatArray, y: FloatArray) -> FloatArray:
    """Sorted slopes between all pairs of points at different positions."""
    i, j = np.triu_indices(y.size, k=1)
    run = x[j] - x[i]
    apart = run > 0
    return np.sort((y[j] - y[i])[apart] / run[apart])


def _slope_interval(
    slopes: FloatArray, residuals: FloatArray, confidence: float
) -> tuple[float, float] | None:
    """Sen's interval of the slope; None when the points carry too little information for one."""
    from scipy.special import stdtrit

    n = residuals.size
    inflation = _kendall_inflation(n, autocorrelation(residuals))
    n_effective = n / inflation
    if n_effective < 4:
        return None
    variance = n * (n - 1) * (2 * n + 5) / 18 * inflation
    quantile = float(stdtrit(n_effective - 2, (1 + confidence) / 2))
    reach = quantile * math.sqrt(variance)
    low, high = (slopes.size - reach) / 2, (slopes.size + reach) / 2
    if low < 0 or high > slopes.size - 1:
        return None
    ranks = np.arange(slopes.size)
    return float(np.interp(low, ranks, slopes)), float(np.interp(high, ranks, slopes))


def autocorrelation(residuals: FloatArray) -> float:
    """First-order autocorrelation of residuals around a line, corrected for small samples.

    The estimate around a fitted line is too small by about (2 + 4 phi) / n (Kendall 1954,
    Biometrika 41, 403-404, for the mean alone: (1 + 3 phi) / n).
    """
    centred = residuals - np.median(residuals)
    scale = float(np.median(np.abs(centred)))
    if scale > 0:
        centred = np.clip(centred, -4.5 * scale, 4.5 * scale)
    power = float(centred @ centred)
    if power == 0:
        return 0.0
    n = centred.size
    phi = float(centred[1:] @ centred[:-1]) / power
    return min(max((phi + 2 / n) / (1 - 4 / n), 0.0), _MAX_AUTOCORRELATION)


def _kendall_inflation(n: int, phi: float) -> float:
    """Factor by which first-order autocorrelation phi inflates the variance of Kendall's S."""
    lags = np.arange(1, n - 2)
    rank_correlation = 6 / math.pi * np.arcsin(phi**lags / 2)
    weights = (n - lags) * (n - lags - 1) * (n - lags - 2)
    return float(1 + 2 / (n * (n - 1) * (n - 2)) * (weights @ rank_correlation))


def _decide(low: float, high: float, tolerance: float) -> tuple[TrendName, str]:
    if low > tolerance:
        return "rising", f"drift above +{tolerance:g} %"
    if high < -tolerance:
        return "falling", f"drift below -{tolerance:g} %"
    if low >= -tolerance and high <= tolerance:
        return "stagnant", f"drift within ±{tolerance:g} %"
    return "unclear", f"interval reaches across ±{tolerance:g} %"


def _unclear(
    reason: str, *, n_points: int, level: float | None = None, drift: float | None = None
) -> Trend:
    return Trend(
        drift=drift,
        low=None,
        high=None,
        trend="unclear",
        level=level,
        n_points=n_points,
        reason=reason,
    )
