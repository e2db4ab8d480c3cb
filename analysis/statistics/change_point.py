"""Where a loss curve flattened, and at what level.

Two straight lines that meet (a broken stick; Toms and Lesperance 2003, Ecology 84, 2034-2041) are
fitted at every possible meeting point. The curve flattened at the best one when the stick fits
better than one line, by Schwarz's criterion with the number of independent points, and its second
part drifts by no more than the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.statistics.stagnation import (
    TOLERANCE_PERCENT,
    FloatArray,
    autocorrelation,
    block_means,
    finite_points,
)

MIN_POINTS = 16
_MAX_POINTS = 80
#: the second part is at least this share of the curve
_MIN_FLAT_SHARE = 0.2

Shape = Literal["flattened", "flat throughout", "still moving", "unclear"]


@dataclass(frozen=True, kw_only=True)
class Flattening:
    """Whether and where a curve became flat."""

    shape: Shape
    #: position where the flat part begins, None unless there is one
    step: float | None
    #: median of the flat part
    level: float | None


def flattening_of(
    values: Sequence[float | None],
    *,
    steps: Sequence[float | None] | None = None,
    tolerance: float = TOLERANCE_PERCENT,
) -> Flattening:
    """Find where a curve flattened.

    Args:
        values: the whole curve; None and non-finite values are holes.
        steps: position of each value (default: equally spaced).
        tolerance: largest change over half of training, in per cent of the level, of a flat part.

    Returns:
        `flattened` with its step and level; `flat throughout`, from the first step; `still moving`
        where the last part drifts more than the tolerance; `unclear` for short or unusable curves.
    """
    x, y = finite_points(values, steps)
    unclear = Flattening(shape="unclear", step=None, level=None)
    if y.size < MIN_POINTS or not np.all(np.abs(y) < 1e150) or not 0 < np.ptp(x) < math.inf:
        return unclear
    first_step = float(x[0])
    position, level_y = block_means(x, _without_spikes(y), _MAX_POINTS)
    t = (position - position[0]) / (position[-1] - position[0])
    if np.ptp(y) <= 1e-12 * np.max(np.abs(y)):
        return unclear

    def flat(slope: float, level: float) -> bool:
        """Whether a slope per whole training changes the level little enough over half of it."""
        return abs(slope) / 2 * 100 <= tolerance * abs(level)

    line = np.polynomial.Polynomial.fit(t, level_y, 1, domain=[0, 1], window=[0, 1])
    stick = _broken_stick(t, level_y)
    n_independent = _independent_points(level_y - stick.fitted)
    line_error = float(np.sum((level_y - line(t)) ** 2))
    # The stick has two parameters more than the line: where it breaks and the second slope.
    gain = n_independent * math.log(max(line_error, 1e-300) / max(stick.error, 1e-300))
    if gain > 2 * math.log(n_independent):
        after = x >= position[0] + stick.knot * (position[-1] - position[0])
        level = float(np.median(y[after]))
        if flat(stick.slope_after, level):
            if flat(stick.slope_before * 2 * stick.knot, level):
                return Flattening(shape="flat throughout", step=first_step, level=level)
            return Flattening(shape="flattened", step=float(x[after][0]), level=level)
        return Flattening(shape="still moving", step=None, level=None)
    level = float(np.median(y))
    if flat(float(line.coef[1]), level):
        return Flattening(shape="flat throughout", step=first_step, level=level)
    return Flattening(shape="still moving", step=None, level=None)


@dataclass(frozen=True, kw_only=True)
class _Stick:
    knot: float
    slope_before: float
    slope_after: float
    fitted: FloatArray
    error: float


def _broken_stick(t: FloatArray, y: FloatArray) -> _Stick:
    """Least-squares broken stick over t in [0, 1], its knot anywhere between 4 % and 80 %."""
    knots = np.linspace(0.04, 1 - _MIN_FLAT_SHARE, 77)
    after = t - knots[:, None]
    design = np.stack([np.ones_like(after), np.minimum(after, 0), np.maximum(after, 0)], axis=-1)
    transposed = design.swapaxes(1, 2)
    # A touch of ridge bears a knot that a single point holds.
    normal = transposed @ design + 1e-12 * t.size * np.eye(3)
    coefficients = np.linalg.solve(normal, (transposed @ y)[..., None])
    fitted = (design @ coefficients)[..., 0]
    errors = np.sum((y - fitted) ** 2, axis=1)
    best = int(np.argmin(errors))
    return _Stick(
        knot=float(knots[best]),
        slope_before=float(coefficients[best, 1, 0]),
        slope_after=float(coefficients[best, 2, 0]),
        fitted=fitted[best],
        error=float(errors[best]),
    )


def _independent_points(residuals: FloatArray) -> float:
    """Number of independent points that carry as much information as the correlated residuals."""
    phi = autocorrelation(residuals)
    return max(residuals.size * (1 - phi) / (1 + phi), 4.0)


def _without_spikes(y: FloatArray) -> FloatArray:
    """Pull single outliers back to 5 robust deviations from the median of their neighbours."""
    padded = np.pad(y, 2, mode="edge")
    centre = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    scale = 1.4826 * float(np.median(np.abs(y - centre)))
    return np.clip(y, centre - 5 * scale, centre + 5 * scale) if scale > 0 else y
