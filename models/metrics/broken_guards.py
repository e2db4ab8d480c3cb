"""What a person should know of colours that break the guards, and what to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from models.metrics.objective import Guard
from models.metrics.unseen import MetricInterval, from_columns, verdict_of

_REMEDIES = {
    ("grey_skill", ">"): ("more max_epochs", "a lower adversarial_factor"),
    ("ab_hf_ratio", "<"): ("more max_epochs", "smooth_upsampling: true"),
}
_ANY_REMEDY = ("more max_epochs", "other guards")


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
