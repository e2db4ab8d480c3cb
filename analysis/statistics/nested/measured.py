"""A figure with its standard error, and how many more trainings would make it as sure as wanted.

Seeds of one configuration share its cause, so everything here counts configurations: standard
errors come from a regression on their means or from a jackknife that leaves out one configuration
at a time (Efron and Stein 1981, Ann. Stat. 9, 586-596), intervals from Student's distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.90
#: largest p value with which an effect counts as determined, as for the crossing: stricter than
#: the intervals' confidence, because an effect that is just visible is mostly exaggerated by noise
SIGNIFICANCE = 0.02
#: fewer configurations than this, beyond the coefficients of a fit, give no interval
MIN_FREEDOM = 3
#: more configurations than this are left out in so many groups
_MAX_GROUPS = 60


@dataclass(frozen=True, kw_only=True)
class Measured:
    """An estimate with the standard error that configurations give it."""

    value: float
    standard_error: float
    freedom: float

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Ends of the interval."""
        reach = self.reach(confidence)
        return self.value - reach, self.value + reach

    def reach(self, confidence: float = CONFIDENCE) -> float:
        """Half of the interval's width."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.standard_error

    def p_value(self) -> float:
        """Of a true value of 0, both sides."""
        from scipy.special import stdtr

        if self.standard_error <= 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.standard_error))

    @property
    def differs_from_zero(self) -> bool:
        """Beyond doubt."""
        return self.p_value() <= SIGNIFICANCE


def jackknife(whole: float, without: FloatArray) -> Measured:
    """From the estimate on all configurations and those (n,) that leave one of them out."""
    n = without.size
    spread = float(((without - without.mean()) ** 2).sum())
    return Measured(
        value=whole, standard_error=math.sqrt((n - 1) / n * spread), freedom=float(n - 1)
    )


def groups_of(clusters: FloatArray) -> list[npt.NDArray[np.bool_]]:
    """Masks (n,) of what a jackknife leaves out: one configuration each, or several where many."""
    numbers = np.unique(clusters, return_inverse=True)[1] % _MAX_GROUPS
    return [numbers == group for group in range(int(numbers.max()) + 1)]


def more_for_reach(measured: Measured, reach: float, *, n_trainings: float) -> int:
    """Trainings to add, spread like those that there are, until the interval is +-`reach`.

    The standard error shrinks with the square root of their number.
    """
    goal = reach / _quantile((1 + CONFIDENCE) / 2)
    return _more(n_trainings, measured.standard_error / goal)


def more_to_tell_from_zero(measured: Measured, *, n_trainings: float) -> int | None:
    """Trainings to add until an effect of this size is determined in 80 of 100 runs."""
    if measured.value == 0:
        return None
    goal = abs(measured.value) / (_quantile(1 - SIGNIFICANCE / 2) + _quantile(0.8))
    return _more(n_trainings, measured.standard_error / goal)


def _more(n_trainings: float, excess: float) -> int:
    return max(1, math.ceil(n_trainings * (excess**2 - 1)))


def _quantile(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))
