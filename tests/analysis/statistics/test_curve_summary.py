"""The keys that the driver stores with a trial."""

from __future__ import annotations

import math
from typing import Any

import pytest

from analysis.statistics.curve_summary import summarise_curves
from tests.analysis.statistics.test_stagnation import line


def level_loss(real: float, fake: float) -> list[dict[str, Any]]:
    return [
        {
            "step": i,
            "adversarial": None if i < 40 else a,
            "reconstruction": 2 - 0.005 * i,
            "discriminator": -(math.log(real) + math.log(1 - fake)) / 2,
            "probability_real": real,
            "probability_fake": fake,
        }
        for i, a in enumerate(line(0))
    ]


def test_the_summary_has_the_keys_of_the_trials_table() -> None:
    summary = summarise_curves(level_loss(0.7, 0.3))
    assert list(summary) == [
        "adversarial_drift",
        "adversarial_drift_low",
        "adversarial_drift_high",
        "adversarial_trend",
        "reconstruction_drift",
        "probability_real",
        "probability_fake",
        "discriminator_verdict",
    ]
    assert summary["reconstruction_drift"] == pytest.approx(-40, abs=2)
    nothing = {"adversarial_trend": "unclear", "discriminator_verdict": "unclear"}
    assert summarise_curves([]) == {**dict.fromkeys(summary), **nothing}


@pytest.mark.parametrize(
    ("real", "fake", "verdict", "trend"),
    [
        (0.7, 0.3, "judging", "stagnant"),
        (0.505, 0.495, "gave up", "idle"),
        (0.99, 0.01, "always wins", "overpowered"),
    ],
)
def test_a_level_loss_is_balance_only_while_the_discriminator_judges(
    real: float, fake: float, verdict: str, trend: str
) -> None:
    summary = summarise_curves(level_loss(real, fake))
    assert summary["discriminator_verdict"] == verdict
    assert summary["adversarial_trend"] == trend
