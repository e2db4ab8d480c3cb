"""The discriminator's health over the last half of training: does it still judge?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from analysis.statistics.stagnation import FloatArray, last_half

#: a discriminator that gave up says one half whatever it sees, at a loss of ln 2
GAVE_UP_PROBABILITY_MARGIN = 0.05
GAVE_UP_LOSS_MARGIN = 0.02
#: the mean probabilities of a discriminator that always wins
WINS_REAL, WINS_FAKE = 0.95, 0.05

#: held-out discrimination (AUC) that is guessing, and from where on it nearly always tells; the
#: standard error of guessing is 0.04 with 128 photos
GUESSING = (0.4, 0.6)
NEARLY_ALWAYS = 0.95

Verdict = Literal["judging", "gave up", "always wins", "unclear"]


@dataclass(frozen=True, kw_only=True)
class DiscriminatorHealth:
    """What the discriminator believes; windows are those of curves.jsonl."""

    #: mean probability "real" on real and on generated photos, over the last half of training
    probability_real: float | None
    probability_fake: float | None
    #: windows of the whole curve in which it gave up, of those in which it was trained
    n_gave_up: int
    n_windows: int
    verdict: Verdict


def discriminator_health(rows: Sequence[Mapping[str, Any]]) -> DiscriminatorHealth:
    """Judge the discriminator from the rows of curves.jsonl.

    A window counts as given up where both probabilities lie within 0.05 of one half and the
    discriminator's loss within 0.02 of ln 2 = 0.693; the verdict is `gave up` when that holds for
    more than half of the last half's windows.
    """
    steps = [row.get("step") for row in rows]
    real = last_half([row.get("probability_real") for row in rows], steps)[1]
    fake = last_half([row.get("probability_fake") for row in rows], steps)[1]
    given_up = _gave_up(rows)
    trained = np.isfinite(given_up)
    late = last_half([None if math.isnan(v) else v for v in given_up.tolist()], steps)[1]
    verdict: Verdict = "unclear"
    if real.size >= 3 and fake.size >= 3:
        if late.size and late.mean() > 0.5:
            verdict = "gave up"
        elif real.mean() > WINS_REAL and fake.mean() < WINS_FAKE:
            verdict = "always wins"
        else:
            verdict = "judging"
    return DiscriminatorHealth(
        probability_real=float(real.mean()) if real.size else None,
        probability_fake=float(fake.mean()) if fake.size else None,
        n_gave_up=int(np.nansum(given_up)),
        n_windows=int(trained.sum()),
        verdict=verdict,
    )


def discrimination_words(auc: float) -> str:
    """What a held-out discrimination says of the discriminator, on photos that nobody trained on.

    `auc` is how often it finds a photo more real than an output.
    """
    low, high = GUESSING
    if auc < low:
        told = "takes outputs for real"
    elif auc <= high:
        told = "cannot tell real from output"
    elif auc < NEARLY_ALWAYS:
        told = "often tells real from output"
    else:
        told = "nearly always tells real from output"
    return f"{told} (AUC {auc:.2f})"


def _gave_up(rows: Sequence[Mapping[str, Any]]) -> FloatArray:
    """1 where the discriminator gave up, 0 where not, NaN where it was not trained (n_windows,)."""

    def column(name: str) -> FloatArray:
        values = [row.get(name) for row in rows]
        return np.array(
            [v if isinstance(v, float | int) else math.nan for v in values], dtype=float
        )

    real, fake = column("probability_real"), column("probability_fake")
    loss = column("discriminator")
    gave_up = (
        (np.abs(real - 0.5) < GAVE_UP_PROBABILITY_MARGIN)
        & (np.abs(fake - 0.5) < GAVE_UP_PROBABILITY_MARGIN)
        & (np.abs(loss - math.log(2)) < GAVE_UP_LOSS_MARGIN)
    )
    return np.where(np.isfinite(real + fake + loss), gave_up.astype(np.float64), math.nan)
