"""Signs of an ill training."""

from __future__ import annotations

from typing import Any

import pytest

from search.config import HealthStops
from search.run.health import diagnose

STOPS = HealthStops(gave_up_windows=5, won_windows=5, still_epochs=2)
NO_STOPS = HealthStops(gave_up_windows=0, won_windows=0, still_epochs=0)


def _window(real: float | None, fake: float | None, adversarial: float | None) -> dict[str, Any]:
    return {
        "probability_real": real,
        "probability_fake": fake,
        "adversarial_ema": adversarial,
    }


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ([], None),
        ([_window(0.5, 0.5, 0.69)] * 5, None),  # it may not have begun to learn
        ([_window(0.9, 0.1, 2.3)] * 5 + [_window(0.51, 0.49, 0.69)] * 5, "gave up"),
        ([_window(0.5, 0.5, 0.69)] * 9 + [_window(0.7, 0.3, 0.9)], None),
        ([_window(None, None, None)] * 20, None),  # no discriminator at all
        ([_window(0.9, 0.1, 2.0 + 0.3 * i) for i in range(8)], "won"),
        ([_window(0.9, 0.1, 4.0)] * 8, None),  # high, but it stays there
        ([_window(0.7, 0.4, 0.5 + 0.2 * i) for i in range(8)], None),  # climbs, but is not high
    ],
)
def test_illnesses_are_named(windows: list[dict[str, Any]], words: str | None) -> None:
    reason = diagnose(windows, [], STOPS)
    assert (reason is None) == (words is None)
    assert words is None or words in (reason or "")
    assert diagnose(windows, [], NO_STOPS) is None


@pytest.mark.parametrize(
    ("values", "ill"),
    [
        ([8.0, 8.001, 8.002], True),
        ([9.0, 8.0, 8.001, 8.002], True),
        ([8.0, 8.001], False),  # too early to say
        ([8.0, 8.02, 8.0], False),
        ([8.0, None, 8.0], False),
    ],
)
def test_a_training_that_does_not_move_is_named(values: list[float | None], ill: bool) -> None:
    validations = [{"ab_swd": value, "l1": 0.08} for value in values]
    reason = diagnose([], validations, STOPS)
    assert (reason is not None) == ill
    assert reason is None or "no movement" in reason
    # A metric that still moves is movement enough.
    moving = [{**row, "l1": 0.08 - 0.001 * i} for i, row in enumerate(validations)]
    assert diagnose([], moving, STOPS) is None
    assert diagnose([], validations, NO_STOPS) is None
