"""A mixed model of configurations and their seeds, and what it says with how much certainty.

The mean drift of configuration c is `x_c b + u_c + e_c`: u_c has the variance `between`, what
configurations differ by beyond the columns x, and e_c that of the seeds over their number. As in a
meta-regression, `between` comes from Paule and Mandel's equation (1982, J. Res. NBS 87, 377-385),
configurations weigh by their total variance, and intervals are those of Knapp and Hartung (2003,
Stat. Med. 22, 2693-2710): residual scale, Student's t with as many degrees of freedom as
configurations exceed coefficients. With equal numbers of seeds that is least squares on the
configurations' means. docs/balance.md states the measured coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.statistics.nested.measured import FloatArray, Measured

#: a column of which the others explain all but this share cannot be told from them
MIN_OWN_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class Regression:
    """The fitted model."""

    #: (p,) and (p, p)
    coefficients: FloatArray
    covariance: FloatArray
    freedom: int
    #: so many trainings, each of a configuration of its own, would tell as much
    n_equivalent: float

    def at(self, row: FloatArray) -> Measured:
        """A linear combination (p,) of the coefficients."""
        return Measured(
            value=float(row @ self.coefficients),
            standard_error=math.sqrt(max(float(row @ self.covariance @ row), 0.0)),
            freedom=self.freedom,
        )


def fit_nested(
    design: FloatArray, means: FloatArray, n_seeds: FloatArray, seed_variance: float | None
) -> Regression:
    """Fit the model.

    Args:
        design: columns of each configuration (n, p), of full rank, n > p.
        means: over the seeds of each configuration (n,).
        n_seeds: of each configuration (n,).
        seed_variance: variance between seeds, None where no configuration has two.
    """
    n, p = design.shape
    within = np.zeros(n) if seed_variance is None else seed_variance / n_seeds
    between = _paule_mandel(design, means, within)
    total = between + within
    weights = np.ones(n) if not (total > 0).all() else 1 / total
    weights = weights / weights.mean()
    coefficients, inverse, residuals = _weighted(design, means, weights)
    scale = float(weights @ residuals**2) / (n - p)
    return Regression(
        coefficients=coefficients,
        covariance=inverse * scale,
        freedom=n - p,
        n_equivalent=_equivalent(between, seed_variance, within, n_seeds),
    )


def own_share(column: FloatArray, others: FloatArray) -> float:
    """Share of a column's variance that the other columns (n, k), among them 1, leave to it."""
    spread = float(((column - column.mean()) ** 2).sum())
    if spread <= 0:
        return 0.0
    left = column - others @ np.linalg.lstsq(others, column, rcond=None)[0]
    return float(left @ left) / spread


def _equivalent(
    between: float, seed_variance: float | None, within: FloatArray, n_seeds: FloatArray
) -> float:
    alone = between + (seed_variance or 0.0)
    if seed_variance is None or alone <= 0:
        return float(n_seeds.sum())
    return float((alone / (between + within)).sum())


def _paule_mandel(design: FloatArray, means: FloatArray, within: FloatArray) -> float:
    """Variance between configurations at which the weighted residuals are as large as expected."""
    from scipy.optimize import brentq

    n, p = design.shape
    plain = _weighted(design, means, np.ones(n))[2]
    largest: float = float(plain @ plain) / (n - p)
    if not within.any() or largest <= 0:
        return largest

    def excess(between: float) -> float:
        weights = 1 / (between + within)
        residuals = _weighted(design, means, weights)[2]
        return float(weights @ residuals**2) - float(n - p)

    if excess(0.0) <= 0:
        return 0.0
    highest = 2 * largest
    while excess(highest) > 0:
        highest *= 2
    return float(brentq(excess, 0.0, highest, xtol=1e-6 * largest))


def _weighted(
    design: FloatArray, values: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients, inverse of the normal equations and residuals."""
    normal: FloatArray = (design.T * weights) @ design
    inverse = np.asarray(np.linalg.pinv(normal, hermitian=True), dtype=np.float64)
    coefficients: FloatArray = inverse @ (design.T @ (weights * values))
    return coefficients, inverse, values - design @ coefficients
