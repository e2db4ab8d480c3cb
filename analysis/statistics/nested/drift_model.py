"""What the adversarial drift depends on: slopes, the drift at one ratio, its sign along all.

Configurations are the observations. The slopes are of one straight model in log2 of the parameter
ratio and log2 of the generator's width, so each is the effect of its own at a fixed value of the
other, with the other searched causes of drift held too. The drift at a ratio comes from a parabola
in log2 ratio (all else at its mean). Equivalence is two one-sided tests (Schuirmann 1987, J.
Pharmacokinet. Biopharm. 15, 657-680): the whole 90 % interval within the tolerance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.statistics.nested.measured import (
    MIN_FREEDOM,
    FloatArray,
    Measured,
    more_for_reach,
)
from analysis.statistics.nested.regression import (
    MIN_OWN_SHARE,
    Regression,
    fit_nested,
    own_share,
)
from analysis.statistics.stagnation import TOLERANCE_PERCENT

Answer = Literal["yes", "no", "not determined"]
SlopeName = Literal["parameter ratio", "generator width"]

#: half width, in points, to which further trainings should narrow the interval of a slope ...
SLOPE_REACH = 2.0
#: ... and of the drift at a ratio; where it is narrower already, half of what it is
DRIFT_REACH = 5.0
#: a slope within this tells that sixteen times the ratio moves the drift by less than the tolerance
NEGLIGIBLE_SLOPE = TOLERANCE_PERCENT / 4
_MIN_RATIOS_FOR_PARABOLA = 4
#: covariates are held where there are this many configurations for each coefficient
_CONFIGURATIONS_PER_COEFFICIENT = 5
#: a loss that is never negative cannot change by more than twice its level along a line
LARGEST_DRIFT = 200.0
_N_GRID = 25
#: what varies by fewer doublings does not vary: widths are whole, so ratios are met roughly
_MIN_SPAN = 0.25


@dataclass(frozen=True, kw_only=True)
class DriftSamples:
    """Configurations, each array (n,)."""

    log2_ratio: FloatArray
    log2_width: FloatArray
    #: mean over the seeds, in per cent
    drift: FloatArray
    n_seeds: FloatArray
    #: variance between the seeds of one configuration, None where none has two
    seed_variance: float | None
    #: (n, k) other causes, standardised, none repeating another
    covariates: FloatArray


@dataclass(frozen=True, kw_only=True)
class DriftSlope:
    """Change of the drift, in points, for each doubling."""

    name: SlopeName
    #: None where the configurations allow no estimate
    per_doubling: Measured | None
    #: why there is none, in a clause
    reason: str
    more: int | None

    @property
    def determined(self) -> bool:
        """Whether there is an effect beyond doubt."""
        return self.per_doubling is not None and self.per_doubling.differs_from_zero

    @property
    def negligible(self) -> bool:
        """Whether the whole interval is too small to matter."""
        if self.per_doubling is None:
            return False
        return max(map(abs, self.per_doubling.interval())) <= NEGLIGIBLE_SLOPE


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Is the drift at a ratio within the tolerance?"""

    target_ratio: float
    verdict: Answer
    drift: Measured | None
    reason: str
    more: int | None


def drift_slope(samples: DriftSamples, name: SlopeName) -> DriftSlope:
    """Measure the slope along the ratio at fixed width, or along the width at fixed ratio."""
    both = {"parameter ratio": samples.log2_ratio, "generator width": samples.log2_width}
    column = both.pop(name)
    (other_name, other), *_ = both.items()
    n = column.size
    if n == 0 or np.ptp(column) < _MIN_SPAN:
        return _no_slope(name, f"all trials have the same {name}" if n else "no trial counts")
    others = [np.ones(n)] + ([other] if np.ptp(other) >= _MIN_SPAN else [])
    design = np.column_stack([*others, column])
    if reason := _too_few(n, design.shape[1]):
        return _no_slope(name, reason)
    design = np.column_stack([_held(samples, design.shape[1]), design])
    if own_share(column, design[:, :-1]) < MIN_OWN_SHARE:
        plain = own_share(column, np.column_stack(others)) < MIN_OWN_SHARE
        with_what = f"the {other_name}" if plain else "the learning rates"
        return _no_slope(name, f"it moved together with {with_what}, so none can tell them apart")
    fitted = _fit(samples, design)
    slope = fitted.at(np.eye(design.shape[1])[-1])
    return DriftSlope(
        name=name,
        per_doubling=slope,
        reason="",
        more=None if slope.differs_from_zero else _more(slope, SLOPE_REACH, fitted),
    )


def drift_at(samples: DriftSamples, target_ratio: float) -> Equivalence:
    """Test whether the drift at a ratio lies within the tolerance."""

    def nothing(reason: str) -> Equivalence:
        return Equivalence(
            target_ratio=target_ratio,
            verdict="not determined",
            drift=None,
            reason=reason,
            more=None,
        )

    x = samples.log2_ratio
    if x.size == 0:
        return nothing("no trial counts")
    place = math.log2(target_ratio)
    if not x.min() - 0.1 <= place <= x.max() + 0.1:
        span = f"{2 ** x.min():.2g} to {2 ** x.max():.2g}"
        return nothing(f"it lies outside the ratios tried ({span})")
    model = _Parabola.of(samples)
    if isinstance(model, str):
        return nothing(model)
    drift = model.at(place)
    low, high = drift.interval()
    verdict: Answer = "not determined"
    if low >= -TOLERANCE_PERCENT and high <= TOLERANCE_PERCENT:
        verdict = "yes"
    elif low > TOLERANCE_PERCENT or high < -TOLERANCE_PERCENT:
        verdict = "no"
    return Equivalence(
        target_ratio=target_ratio,
        verdict=verdict,
        drift=drift,
        reason="",
        more=None if verdict != "not determined" else _more(drift, DRIFT_REACH, model.fitted),
    )


def sign_throughout(samples: DriftSamples) -> Literal[-1, 0, 1]:
    """1 where the drift lies above 0 at every ratio tried beyond doubt, -1 where below, else 0.

    Each ratio is tested at 5 %; all must agree, so that the whole claim is wrong at most as often
    (Berger 1982, Technometrics 24, 295-300).
    """
    x = samples.log2_ratio
    if x.size == 0 or np.ptp(x) < _MIN_SPAN:
        return 0
    model = _Parabola.of(samples)
    if isinstance(model, str):
        return 0
    ends = [model.at(place).interval() for place in np.linspace(x.min(), x.max(), _N_GRID)]
    if all(low > 0 for low, _ in ends):
        return 1
    return -1 if all(high < 0 for _, high in ends) else 0


@dataclass(frozen=True, kw_only=True)
class _Parabola:
    """The drift along log2 ratio, everything else at its mean."""

    fitted: Regression
    centre: float
    powers: int

    @classmethod
    def of(cls, samples: DriftSamples) -> _Parabola | str:
        """Fit it; or say in a clause why not."""
        x = samples.log2_ratio
        centre = float(x.mean())
        ratios = np.unique(np.round(x, 2)).size
        powers = 1 if np.ptp(x) < _MIN_SPAN else 3 if ratios >= _MIN_RATIOS_FOR_PARABOLA else 2
        width = samples.log2_width - samples.log2_width.mean()
        if np.ptp(width) < _MIN_SPAN:
            width = width[:, None][:, :0]
        if x.size < powers + width.size // x.size + MIN_FREEDOM:
            powers = min(powers, 2)
        design = np.column_stack([np.vander(x - centre, powers, increasing=True), width])
        if reason := _too_few(x.size, design.shape[1]):
            return reason
        if width.size and own_share(design[:, -1], design[:, :-1]) < MIN_OWN_SHARE:
            design = design[:, :-1]
        design = np.column_stack([design, _held(samples, design.shape[1])])
        return cls(fitted=_fit(samples, design), centre=centre, powers=powers)

    def at(self, place: float) -> Measured:
        row = np.zeros(self.fitted.coefficients.size)
        row[: self.powers] = (place - self.centre) ** np.arange(self.powers)
        return self.fitted.at(row)


def _fit(samples: DriftSamples, design: FloatArray) -> Regression:
    return fit_nested(design, samples.drift, samples.n_seeds, samples.seed_variance)


def _held(samples: DriftSamples, n_others: int) -> FloatArray:
    """The covariates, where there are enough configurations for them."""
    covariates = samples.covariates
    if samples.drift.size < _CONFIGURATIONS_PER_COEFFICIENT * (n_others + covariates.shape[1]):
        return covariates[:, :0]
    return covariates


def _too_few(n: int, n_coefficients: int) -> str:
    least = n_coefficients + MIN_FREEDOM
    return f"it takes at least {least} configurations, and {n} count" if n < least else ""


def _no_slope(name: SlopeName, reason: str) -> DriftSlope:
    return DriftSlope(name=name, per_doubling=None, reason=reason, more=None)


def _more(measured: Measured, reach: float, fitted: Regression) -> int:
    goal = min(reach, measured.reach() / 2)
    return more_for_reach(measured, goal, n_trainings=fitted.n_equivalent)
