"""What the discriminator believes."""

from __future__ import annotations

import math
from typing import Any

import pytest

from analysis.statistics.discriminator_health import discrimination_words, discriminator_health


def windows(
    n: int, real: float | None, fake: float | None, first_step: int = 0
) -> list[dict[str, Any]]:
    loss = None
    if real is not None and fake is not None:
        loss = -(math.log(real) + math.log(1 - fake)) / 2
    return [
        {
            "step": first_step + i,
            "probability_real": real,
            "probability_fake": fake,
            "discriminator": loss,
        }
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("real", "fake", "verdict"),
    [(0.7, 0.3, "judging"), (0.51, 0.49, "gave up"), (0.99, 0.01, "always wins")],
)
def test_the_verdict_is_that_of_the_last_half(real: float, fake: float, verdict: str) -> None:
    rows = windows(20, 0.6, 0.4) + windows(30, real, fake, first_step=20)
    health = discriminator_health(rows)
    assert health.verdict == verdict
    assert health.probability_real == pytest.approx(real)
    assert health.probability_fake == pytest.approx(fake)
    assert health.n_windows == 50
    assert health.n_gave_up == (30 if verdict == "gave up" else 0)


def test_one_half_for_both_at_another_loss_is_no_giving_up() -> None:
    """Means of one half can come from confident answers that cancel; the loss tells."""
    rows = [{**row, "discriminator": 1.9} for row in windows(40, 0.5, 0.5)]
    assert discriminator_health(rows).verdict == "judging"


def test_windows_without_a_discriminator_do_not_count() -> None:
    rows = windows(10, None, None) + windows(10, 0.7, 0.3, first_step=10)
    assert discriminator_health(rows).n_windows == 10
    for rows in ([], windows(10, None, None), windows(2, 0.7, 0.3)):
        assert discriminator_health(rows).verdict == "unclear"


@pytest.mark.parametrize(
    ("auc", "words"),
    [
        (0.2, "takes outputs for real (AUC 0.20)"),
        (0.5, "cannot tell real from output (AUC 0.50)"),
        (0.6, "cannot tell real from output (AUC 0.60)"),
        (0.8, "often tells real from output (AUC 0.80)"),
        (0.98, "nearly always tells real from output (AUC 0.98)"),
    ],
)
def test_held_out_discrimination_is_said_in_words(auc: float, words: str) -> None:
    assert discrimination_words(auc) == words
