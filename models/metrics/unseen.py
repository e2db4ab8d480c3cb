"""The metrics on the test photos, which chose nothing: values with intervals. Needs no torch.

In rows they are the columns `test_METRIC`, `test_METRIC_low` and `test_METRIC_high`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from models.metrics.names import METRICS
from models.metrics.objective import Guard

#: the share of such intervals that hold the true value
CONFIDENCE: Final = 0.9
PREFIX: Final = "test_"
_ENDS: Final = ("", "_low", "_high")
TEST_COLUMNS: Final = tuple(f"{PREFIX}{name}{end}" for name in METRICS for end in _ENDS)
#: the column that says of all guards together whether they hold there
TEST_GUARDS: Final = "test_guards"

#: what to change where a guard is broken
_REMEDIES = {
    ("grey_skill", ">"): ("more max_epochs", "a lower adversarial_factor"),
    ("ab_hf_ratio", "<"): ("more max_epochs", "smooth_upsampling: true"),
}
_ANY_REMEDY = ("more max_epochs", "other guards")

#: a whole interval on one side of a bound holds or breaks it
Verdict = Literal["holds", "breaks", "unclear"]


class MetricInterval(NamedTuple):
    """A metric over a set of photos with the ends of its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        # To the second digit of its width: more are noise.
        width = self.high - self.low
        digits = max(0, 1 - math.floor(math.log10(width))) if 0 < width < math.inf else 3
        shown = (f"{number:z.{min(digits, 9)}f}" for number in self)
        return "{} ({} to {})".format(*shown)


def to_columns(figures: Mapping[str, MetricInterval]) -> dict[str, float]:
    """Return the columns of a row, by name."""
    return {
        f"{PREFIX}{name}{end}": number
        for name, interval in figures.items()
        for end, number in zip(_ENDS, interval, strict=True)
    }


def from_columns(row: Mapping[str, object]) -> dict[str, MetricInterval]:
    """Read the columns of a row; a metric that lacks a finite number is left out."""
    figures = {}
    for name in METRICS:
        numbers = [row.get(f"{PREFIX}{name}{end}") for end in _ENDS]
        finite = [n for n in numbers if isinstance(n, int | float) and math.isfinite(n)]
        if len(finite) == len(_ENDS):
            figures[name] = MetricInterval(*finite)
    return figures


def verdict_of(guard: Guard, figures: Mapping[str, MetricInterval]) -> Verdict:
    """Whether a guard holds on the test photos; unclear while its bound lies in the interval."""
    interval = figures.get(guard.metric)
    if interval is None:
        return "unclear"
    ends = [guard.violation({guard.metric: end}) <= 0.0 for end in interval[1:]]
    return "holds" if all(ends) else "unclear" if any(ends) else "breaks"


def verdict_of_all(
    guards: Iterable[Guard], figures: Mapping[str, MetricInterval]
) -> Verdict | None:
    """Whether all guards hold: broken if one is; None where nothing was measured."""
    if not figures:
        return None
    verdicts = {verdict_of(guard, figures) for guard in guards}
    return next((found for found in ("breaks", "unclear") if found in verdicts), "holds")


def columns_of_row(guards: Iterable[Guard], columns: Mapping[str, float]) -> dict[str, object]:
    """All that a trial's row says of the test photos; nothing where there was no measurement."""
    if not columns:
        return {}
    return {**columns, TEST_GUARDS: verdict_of_all(guards, from_columns(columns))}


def describe_figures(
    objective: str, guards: Iterable[Guard], figures: Mapping[str, MetricInterval]
) -> list[str]:
    """The objective and the metrics of the guards with intervals and verdicts, where measured."""
    by_metric: dict[str, list[Guard]] = {objective: []}
    for guard in guards:
        by_metric.setdefault(guard.metric, []).append(guard)
    return [
        f"{name} {figures[name]} {verdict_of_all(its, figures) if its else ''}".rstrip()
        for name, its in by_metric.items()
        if name in figures
    ]


def describe_broken_guards(
    guards: Iterable[Guard], metrics: Mapping[str, float | None]
) -> str | None:
    """Each guard that `metrics` break, by how much, and the remedy; None when none is broken.

    On the test photos where `metrics`, a trial's row, has columns of these: there the whole
    interval must lie beyond the bound. Else on the photos that chose the epoch.
    """
    figures = from_columns(metrics)
    broken = [guard for guard in guards if _is_broken(guard, metrics, figures)]
    if not broken:
        return None
    # One remedy for two guards is said once.
    remedies = dict.fromkeys(
        remedy
        for guard in broken
        for remedy in _REMEDIES.get((guard.metric, guard.sign), _ANY_REMEDY)
    )
    found = ", ".join(_words(guard, metrics, figures) for guard in broken)
    return f"{found}; try {' or '.join(remedies)}"


def _is_broken(
    guard: Guard,
    metrics: Mapping[str, float | None],
    figures: Mapping[str, MetricInterval],
) -> bool:
    if guard.metric in figures:
        return verdict_of(guard, figures) == "breaks"
    return guard.violation(metrics) > 0.0


def _words(
    guard: Guard,
    metrics: Mapping[str, float | None],
    figures: Mapping[str, MetricInterval],
) -> str:
    if guard.metric in figures:
        found = f"{figures[guard.metric]} on the test photos"
    else:
        value = metrics.get(guard.metric)
        found = "unknown" if value is None else f"{value:.3g}"
    return f"{guard.metric} is {found} and must be {guard.sign} {guard.bound:g}"
