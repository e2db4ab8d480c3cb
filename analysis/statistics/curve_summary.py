"""What a trial's row in trials.jsonl says about its loss curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.statistics.discriminator_health import discriminator_health
from analysis.statistics.stagnation import trend_of
from analysis.stored_run.columns import UNJUDGED_TRENDS


def summarise_curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | str | None]:
    """Summarise the rows of a trial's curves.jsonl, in their order.

    Returns:
        `adversarial_drift`, `adversarial_drift_low`, `adversarial_drift_high` (per cent or None),
        `adversarial_trend` (`idle` or `overpowered` where the discriminator no longer judges),
        `reconstruction_drift`, and of the discriminator over the last half `probability_real`,
        `probability_fake` (means or None) and `discriminator_verdict`.
    """
    steps = [row.get("step") for row in rows]
    adversarial = trend_of([row.get("adversarial") for row in rows], steps=steps)
    reconstruction = trend_of([row.get("reconstruction") for row in rows], steps=steps)
    health = discriminator_health(rows)
    return {
        "adversarial_drift": adversarial.drift,
        "adversarial_drift_low": adversarial.low,
        "adversarial_drift_high": adversarial.high,
        "adversarial_trend": UNJUDGED_TRENDS.get(health.verdict, adversarial.trend),
        "reconstruction_drift": reconstruction.drift,
        "probability_real": health.probability_real,
        "probability_fake": health.probability_fake,
        "discriminator_verdict": health.verdict,
    }
