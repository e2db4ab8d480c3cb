"""Which predictor tells unseen configurations best: cross-validation that leaves them out whole.

Each configuration, with all of its seeds, is predicted from the others by a parabola in one
predictor beside the generator's width; the baseline knows the width alone. The skill is the share
of the baseline's squared error that the predictor takes away: 1 at best, 0 if it is of no use, less
if it misleads. Intervals and comparisons come from a jackknife over configurations on the logarithm
of the ratio of the errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.statistics.nested.measured import (
    FloatArray,
    Measured,
    groups_of,
    jackknife,
    more_to_tell_from_zero,
)

MIN_CONFIGURATIONS = 8
#: with fewer configurations a straight line stands for the parabola
_MIN_FOR_PARABOLA = 12
#: values that must be there for a predictor to take part
_MIN_KNOWN = 0.8
#: coefficients of the parabola
_N_COEFFICIENTS = 2


@dataclass(frozen=True, kw_only=True)
class Skill:
    """Share of the squared error that a predictor takes away, with its 90 % interval."""

    name: str
    value: float
    low: float
    high: float
    #: whether it is of use beyond doubt
    determined: bool


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Predictors of one target, best first."""

    skills: tuple[Skill, ...]
    #: the best, where it beats every other beyond doubt and is of use
    best: str | None
    #: those that the first does not beat beyond doubt, if it is of use itself
    rivals: tuple[str, ...]
    #: why there is no best one, in a clause; empty where there are rivals
    reason: str
    #: trainings to add until there would be one, if things are as they look; None: no telling
    more: int | None
    n_configurations: int


def compare_predictions(
    predictors: Mapping[str, FloatArray],
    target: FloatArray,
    *,
    widths: FloatArray,
    clusters: FloatArray,
) -> Prediction:
    """Cross-validate each predictor.

    Args:
        predictors: values of each training by name, each (n,); NaN where unknown.
        target: what to predict (n,); trainings without it are left out.
        widths: log2 of the generator's width of each training (n,).
        clusters: number of each training's configuration (n,).
    """
    known = np.isfinite(target) & np.isfinite(widths)
    kept = {
        name: values
        for name, values in predictors.items()
        if known.any() and np.isfinite(values[known]).mean() >= _MIN_KNOWN
    }
    for values in kept.values():
        known &= np.isfinite(values)
    kept = {name: values[known] for name, values in kept.items()}
    kept = {name: values for name, values in kept.items() if _varies(values)}
    target, widths, clusters = target[known], widths[known], clusters[known]
    n = np.unique(clusters).size
    if n < MIN_CONFIGURATIONS:
        return _none(f"it takes at least {MIN_CONFIGURATIONS} configurations", n)
    if not _varies(target) or not kept:
        return _none("nothing varies that could tell" if kept else "no predictor varies", n)
    groups = groups_of(clusters)
    base = np.column_stack([np.ones(target.size), widths])
    plain = _held_out_errors(base, base[:, :0], target, groups)
    errors = {
        name: _held_out_errors(base, _shape(values, n), target, groups)
        for name, values in kept.items()
    }
    if plain.sum() <= 0:
        return _none("the generator's width tells it all", n)
    skills = sorted(
        (_skill(name, errors[name], plain) for name in errors), key=lambda skill: -skill.value
    )
    first = skills[0]
    if not first.determined:
        gain = _log_ratio(errors[first.name], plain)
        more = more_to_tell_from_zero(gain, n_trainings=target.size) if gain.value < 0 else None
        reason = "none tells more than the generator's width beyond doubt"
        return Prediction(
            skills=tuple(skills),
            best=None,
            rivals=(),
            reason=reason,
            more=more,
            n_configurations=n,
        )
    rivals, more = [], None
    for other in skills[1:]:
        lead = _log_ratio(errors[first.name], errors[other.name])
        if not (lead.value < 0 and lead.differs_from_zero):
            rivals.append(other.name)
            needed = more_to_tell_from_zero(lead, n_trainings=target.size)
            more = max(more or 0, needed) if needed else more
    alone = len(skills) == 1
    return Prediction(
        skills=tuple(skills),
        best=None if rivals or alone else first.name,
        rivals=tuple(rivals),
        reason="nothing else varies in this run" if alone else "",
        more=more,
        n_configurations=n,
    )


def _none(reason: str, n: int) -> Prediction:
    return Prediction(skills=(), best=None, rivals=(), reason=reason, more=None, n_configurations=n)


def _varies(values: FloatArray) -> bool:
    return bool(values.size and np.ptp(values) > 1e-9 * max(1.0, float(np.abs(values).max())))


def _shape(values: FloatArray, n: int) -> FloatArray:
    centred = (values - values.mean()) / values.std()
    columns = [centred, centred**2] if n >= _MIN_FOR_PARABOLA else [centred]
    return np.column_stack(columns)


def _held_out_errors(
    base: FloatArray,
    columns: FloatArray,
    target: FloatArray,
    groups: list[npt.NDArray[np.bool_]],
) -> FloatArray:
    """Sum of squared errors of each group, predicted from the others."""
    design = np.column_stack([base, columns])
    errors = np.empty(len(groups))
    for i, group in enumerate(groups):
        fitted = np.linalg.lstsq(design[~group], target[~group], rcond=1e-9)[0]
        # Nothing is extrapolated: a parabola soon leaves the earth.
        low, high = design[~group].min(axis=0), design[~group].max(axis=0)
        errors[i] = float(((target[group] - design[group].clip(low, high) @ fitted) ** 2).sum())
    return errors


def _log_ratio(errors: FloatArray, others: FloatArray) -> Measured:
    """Logarithm of the ratio of two sums of errors, below 0 where the first are smaller."""
    a, b = float(errors.sum()), float(others.sum())
    without = np.log((a - errors).clip(1e-300) / (b - others).clip(1e-300))
    found = jackknife(math.log(max(a, 1e-300) / max(b, 1e-300)), without)
    # The fits share most of their configurations, which makes the errors look too independent.
    n = errors.size
    return replace(
        found, standard_error=found.standard_error * math.sqrt(n / max(n - _N_COEFFICIENTS, 1))
    )


def _skill(name: str, errors: FloatArray, plain: FloatArray) -> Skill:
    ratio = _log_ratio(errors, plain)
    low, high = ratio.interval()
    return Skill(
        name=name,
        value=1 - math.exp(ratio.value),
        low=1 - math.exp(min(high, 700.0)),
        high=1 - math.exp(low),
        determined=ratio.value < 0 and ratio.differs_from_zero,
    )
