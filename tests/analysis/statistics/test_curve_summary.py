"""The keys that the driver stores with a trial."""

from __future__ import annotations

import math

import pytest

from analysis.statistics.curve_summary import summarise_curves
from tests.analysis.statistics.test_stagnation import line


def test_the_summary_has_the_keys_of_the_trials_table() -> None:
    rows = [
        {
            "step": i,
            "adversarial": None if i < 40 else a,
            "reconstruction": 2 - 0.005 * i,
            "discriminator": math.log(2),
            "probability_real": 0.52,
            "probability_fake": 0.48,
        }
        for i, a in enumerate(line(0))
    ]
    summary = summarise_curves(rows)
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
    assert summary["adversarial_trend"] == "stagnant"
    assert summary["reconstruction_drift"] == pytest.approx(-40, abs=2)
    assert summary["discriminator_verdict"] == "gave up"
    nothing = {"adversarial_trend": "unclear", "discriminator_verdict": "unclear"}
    assert summarise_curves([]) == {**dict.fromkeys(summary), **nothing}
