"""At which ratio does the drift cross zero?

The drift is a smooth function of log2(ratio). Near its zero it is fitted by a parabola, weighted by
distance from the zero (local regression; Cleveland 1979, JASA 74,
829-836) and against outliers (Huber 1964, Ann. Math. Stat. 35, 73-101), with the searched
parameters that also move the drift as covariates, held at their means. The interval comes from
bootstrap draws that weigh whole configurations (Rubin 1981, Ann. Stat. 9, 130-134): the seeds of
one configuration are one observation. Its percentiles are widened for small samples (Hesterberg
2015, Am. Stat. 69, 371-386, section 4.3.3). A crossing counts as determined only where ratio and
drift also have a rank correlation (Spearman's, with the covariates regressed out): the bootstrap
alone finds a slope in noise too often. docs/balance.md states the measured coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.90
#: largest p value of the rank correlation with which a crossing is determined. Stricter than the
#: interval's confidence: a slope that is just visible is mostly one that noise has exaggerated, and
#: its crossing lies in the wrong place
_SIGNIFICANCE = 0.02
#: normal equations of a smaller reciprocal condition determine nothing: too few ratios have weight
_MIN_RECIPROCAL_CONDITION = 1e-12
MIN_CONFIGURATIONS = 10
_MIN_DISTINCT_RATIOS = 4
#: covariates are used where there are this many configurations for each coefficient
_CONFIGURATIONS_PER_COEFFICIENT = 5
_ITERATIONS = 6
#: constant, slope and curvature
_POWERS = 3
#: the local weights reach this many times as far as the 60th percentile of the distances
_REACH, _REACH_QUANTILE = 1.6, 0.6
#: Huber's constant: 95 % efficient for normal errors
_HUBER = 1.345
_N_GRID = 61
#: a loss that is never negative cannot change by more than twice its level along a line
_LARGEST_DRIFT = 200.0


@dataclass(frozen=True, kw_only=True)
class FittedDrift:
    """The fitted drift along the ratios tried, with its pointwise interval, each (n_grid,)."""

    ratio: FloatArray
    drift: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The ratio at which the drift crosses zero, or why the data do not determine it."""

    determined: bool
    #: one clause: what makes it undetermined, empty when determined
    reason: str
    n_configurations: int
    #: None unless determined
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    #: change of the drift, in per cent, for each doubling of the ratio at the crossing
    drift_per_doubling: float | None = None
    #: whether covariates were held at their means
    adjusted: bool = False
    fitted: FittedDrift | None = field(default=None, repr=False)


def zero_crossing(
    ratio: FloatArray,
    drift: FloatArray,
    covariates: FloatArray | None = None,
    *,
    confidence: float = CONFIDENCE,
    n_draws: int = 1000,
    seed: int = 0,
) -> Crossing:
    """Estimate the ratio at which the drift crosses zero.

    Args:
        ratio: of each configuration (n,), above 0.
        drift: mean drift over the seeds of each configuration (n,), in per cent.
        covariates: (n, k) other causes of drift, roughly linear; without missing values.
        confidence: of the interval.
        n_draws: of the bootstrap.
        seed: of the bootstrap; the same data give the same answer.

    Returns:
        A determined crossing only when the drift changes with the ratio beyond doubt at that
        confidence and the whole interval lies within the ratios tried.
    """
    n = ratio.size
    if n < MIN_CONFIGURATIONS:
        return _undetermined(
            f"it takes at least {MIN_CONFIGURATIONS} configurations with a measured drift", n
        )
    x = np.log2(ratio)
    drift = np.clip(drift, -_LARGEST_DRIFT, _LARGEST_DRIFT)
    if np.unique(np.round(x, 2)).size < _MIN_DISTINCT_RATIOS:
        return _undetermined(f"fewer than {_MIN_DISTINCT_RATIOS} different ratios were tried", n)
    if np.ptp(drift) == 0:
        return _undetermined("the drift does not vary", n)
    model = _Model(x, drift, usable_covariates(covariates, n), n_draws=n_draws, seed=seed)
    model.fit()
    position, slope = model.crossing()
    tail = _tail(confidence, n_effective=model.n_effective, n_coefficients=model.n_coefficients)
    low, high = _quantiles(position, tail)
    slope_low, slope_high = _quantiles(slope, tail)
    if np.isnan(position[0]):
        return _undetermined("too few different ratios lie near the crossing", n)
    common = {"n_configurations": n, "adjusted": model.adjusted, "fitted": model.along(tail)}
    reason = ""
    if slope_low <= 0 <= slope_high or model.p_value() > _SIGNIFICANCE:
        reason = "the drift does not change with the ratio beyond its noise"
    elif high < x.min() or low > x.max():
        side = "below" if high < x.min() else "above"
        reason = f"the crossing lies {side} the ratios tried ({_span(ratio)})"
    elif low < x.min() or high > x.max():
        reason = f"its interval reaches beyond the ratios tried ({_span(ratio)})"
    if reason:
        return Crossing(determined=False, reason=reason, **common)
    return Crossing(
        determined=True,
        reason="",
        ratio=float(2 ** position[0]),
        low=float(2**low),
        high=float(2**high),
        drift_per_doubling=float(slope[0]),
        **common,
    )


class _Model:
    """The local regression on the data (row 0) and on each bootstrap draw (rows 1..n_draws)."""

    def __init__(
        self, x: FloatArray, y: FloatArray, covariates: FloatArray, *, n_draws: int, seed: int
    ) -> None:
        n = x.size
        self.adjusted = covariates.shape[1] > 0 and n >= _CONFIGURATIONS_PER_COEFFICIENT * (
            _POWERS + covariates.shape[1]
        )
        if not self.adjusted:
            covariates = covariates[:, :0]
        self.x, self.y = x, y
        self.design = np.column_stack([np.vander(x, _POWERS, increasing=True), covariates])
        self.n_coefficients = self.design.shape[1]
        draws = np.random.default_rng(seed).exponential(size=(n_draws, n))
        self.weights = np.vstack([np.ones((1, n)), draws])
        # Holding the covariates at each draw's own means lets their uncertainty in.
        self.means = (self.weights @ covariates) / self.weights.sum(axis=1, keepdims=True)
        self._products = (self.design[:, :, None] * self.design[:, None, :]).reshape(n, -1)

    def fit(self) -> None:
        """Alternate between the fit and its weights by distance from the zero and by residual."""
        slope, constant = _robust_line(self.x, self.y)
        zero = -constant / slope if slope else float(np.median(self.x))
        self.near = np.full(self.weights.shape[0], zero).clip(self.x.min(), self.x.max())
        # Every draw starts from weights that outliers have not had a say in.
        line = slope * self.x + constant
        residual = np.abs(self.y - line)[None, :]
        for iteration in range(_ITERATIONS):
            distance = np.abs(self.x - self.near[:, None])
            reach = max(_REACH * float(np.quantile(distance[0], _REACH_QUANTILE)), 1e-9)
            local = np.clip(1 - (distance / reach) ** 3, 0, None) ** 3
            if iteration < 3:
                scale = max(1.4826 * float(np.median(residual[0])), 1e-9)
            huber = np.minimum(1, _HUBER * scale / np.maximum(residual, 1e-12))
            self.coefficients = self._solve(self.weights * local * huber)
            fitted = self.coefficients @ self.design.T
            # A draw that determines nothing starts again from the whole data's line.
            residual = np.abs(self.y - np.where(np.isnan(fitted), line, fitted))
            found = self.crossing()[0]
            self.near = np.where(np.isnan(found), zero, found).clip(self.x.min(), self.x.max())
        self.n_effective = float(local[0].sum() ** 2 / (local[0] ** 2).sum())

    def crossing(self) -> tuple[FloatArray, FloatArray]:
        """Zero of the fit that is nearest to `near`, and the slope there, each (1 + n_draws,).

        Where a parabola has no zero, its vertex stands in; a draw that determines no parabola has
        NaN for both.
        """
        constant, slope, curvature = self._curve()
        near = self.near
        constant = constant + slope * near + curvature * near**2
        slope = slope + 2 * curvature * near
        root = np.sqrt(np.maximum(slope**2 - 4 * curvature * constant, 0))
        step = -2 * constant / _away_from_zero(slope + np.where(slope >= 0, root, -root))
        limit = 10 * (float(np.ptp(self.x)) + 1)
        step = np.clip(step, -limit, limit)
        return near + step, slope + 2 * curvature * step

    def p_value(self) -> float:
        """Of the rank correlation of ratio and drift, the covariates regressed out of both."""
        from scipy.special import stdtr
        from scipy.stats import spearmanr

        others = np.column_stack([np.ones(self.x.size), self.design[:, _POWERS:]])
        coefficients = np.linalg.lstsq(others, np.column_stack([self.x, self.y]), rcond=None)[0]
        left = np.column_stack([self.x, self.y]) - others @ coefficients
        rho = float(spearmanr(left[:, 0], left[:, 1]).statistic)
        freedom = self.x.size - others.shape[1] - 1
        t = abs(rho) * math.sqrt(freedom / max(1 - rho**2, 1e-12))
        return float(2 * stdtr(freedom, -t))

    def along(self, tail: float) -> FittedDrift:
        """The fit along the ratios tried."""
        grid = np.linspace(self.x.min(), self.x.max(), _N_GRID)
        constant, slope, curvature = (part[:, None] for part in self._curve())
        drift = constant + slope * grid + curvature * grid**2
        low, high = np.nanquantile(drift[1:], [tail, 1 - tail], axis=0)
        return FittedDrift(ratio=2**grid, drift=drift[0], low=low, high=high)

    def _curve(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Constant (covariates at their means), slope and curvature of each draw."""
        held = (self.coefficients[:, _POWERS:] * self.means).sum(axis=1)
        constant, slope, curvature = self.coefficients[:, :_POWERS].T
        return constant + held, slope, curvature

    def _solve(self, weights: FloatArray) -> FloatArray:
        p = self.n_coefficients
        normal = (weights @ self._products).reshape(-1, p, p)
        right = (weights * self.y) @ self.design
        eigenvalues = np.linalg.eigvalsh(normal)
        solvable = eigenvalues[:, 0] > _MIN_RECIPROCAL_CONDITION * eigenvalues[:, -1]
        coefficients = np.full_like(right, math.nan)
        coefficients[solvable] = np.linalg.solve(normal[solvable], right[solvable][..., None])[
            ..., 0
        ]
        return coefficients


def _robust_line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Slope and constant of Theil and Sen's line, from at most 500 of the points."""
    from scipy.stats import theilslopes

    chosen = np.linspace(0, x.size - 1, min(x.size, 500)).astype(np.intp)
    line = theilslopes(y[chosen], x[chosen], method="joint")
    return float(line.slope), float(line.intercept)


def usable_covariates(covariates: FloatArray | None, n: int) -> FloatArray:
    """Standardised covariates that vary and do not repeat each other, (n, k)."""
    if covariates is None:
        return np.empty((n, 0))
    columns: list[FloatArray] = []
    for column in covariates.T:
        spread = float(np.std(column))
        if not spread > 1e-9 * max(1.0, float(np.max(np.abs(column)))):
            continue
        standard = (column - column.mean()) / spread
        if all(abs(float(standard @ other)) / n < 0.99 for other in columns):
            columns.append(standard)
    return np.column_stack(columns) if columns else np.empty((n, 0))


def _tail(confidence: float, *, n_effective: float, n_coefficients: int) -> float:
    """Probability to cut off at each end of the bootstrap draws, widened for small samples."""
    from scipy.special import ndtr, stdtrit

    freedom = max(n_effective - n_coefficients, 2.0)
    quantile = float(stdtrit(freedom, (1 + confidence) / 2))
    # The draws' residuals are too small by the coefficients that were fitted to them.
    return float(ndtr(-math.sqrt(n_effective / freedom) * quantile))


def _quantiles(draws: FloatArray, tail: float) -> tuple[float, float]:
    """Ends of the interval; a draw that determines nothing may lie beyond either of them."""
    unknown = np.isnan(draws[1:])
    low = np.quantile(np.where(unknown, -np.inf, draws[1:]), tail, method="lower")
    high = np.quantile(np.where(unknown, np.inf, draws[1:]), 1 - tail, method="higher")
    return float(low), float(high)


def _away_from_zero(values: FloatArray) -> FloatArray:
    return np.where(np.abs(values) < 1e-12, 1e-12, values)


def _undetermined(reason: str, n: int) -> Crossing:
    return Crossing(determined=False, reason=reason, n_configurations=n)


def _span(ratio: FloatArray) -> str:
    return f"{ratio.min():.2g} to {ratio.max():.2g}"
