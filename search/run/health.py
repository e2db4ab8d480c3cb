"""Signs that an adversarial training is ill; each is a named reason to stop.

A discriminator that gave up says 0.5 to everything (its loss is then ln 2 = 0.693); one that has
won leaves the generator an adversarial loss that is high and climbs. A generator that does not
move paints the validation photos, which are the same each time, as it painted them before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search.config import HealthStops

#: distance from 0.5 below which a probability says nothing
UNDECIDED = 0.02
#: adversarial loss of a generator whose fakes pass with a probability of 5 %
HIGH_ADVERSARIAL = 3.0
#: relative growth over the windows that counts as climbing
CLIMB = 0.1


#: relative change of a validation metric between epochs below which nothing moved
STILL = 1e-3
#: one metric of the colours' distribution, one of their accuracy
_WATCHED = ("ab_swd", "l1")


def diagnose(
    windows: Sequence[dict[str, Any]],
    validations: Sequence[dict[str, Any]],
    stops: HealthStops,
) -> str | None:
    """Name the illness of a training; None when it has none.

    Args:
        windows: its rows of losses so far.
        validations: its validation metrics, one mapping an epoch.
        stops: which illnesses end a training.
    """
    if _gave_up(windows, stops.gave_up_windows):
        n = stops.gave_up_windows
        return f"discriminator gave up (both probabilities near 0.5 for {n} windows)"
    if _won(windows, stops.won_windows):
        loss, n = windows[-1]["adversarial_ema"], stops.won_windows
        return f"discriminator won (adversarial loss {loss:.2f} and climbing over {n} windows)"
    if _still(validations, stops.still_epochs):
        return f"no movement (validation metrics unchanged over {stops.still_epochs} epochs)"
    return None


def _still(validations: Sequence[dict[str, Any]], n: int) -> bool:
    if not n or len(validations) <= n:
        return False
    for name in _WATCHED:
        values = [metrics.get(name) for metrics in validations[-n - 1 :]]
        known = [value for value in values if value is not None]
        if len(known) < len(values) or max(known) - min(known) > STILL * abs(known[-1]):
            return False
    return True


def _gave_up(windows: Sequence[dict[str, Any]], n: int) -> bool:
    # Before the discriminator has learnt anything it says 0.5 as well: twice n windows must pass.
    if not n or len(windows) < 2 * n:
        return False
    probabilities = [
        window.get(name)
        for window in windows[-n:]
        for name in ("probability_real", "probability_fake")
    ]
    return all(p is not None and abs(p - 0.5) < UNDECIDED for p in probabilities)


def _won(windows: Sequence[dict[str, Any]], n: int) -> bool:
    if not n or len(windows) <= n:
        return False
    before, now = (windows[i].get("adversarial_ema") for i in (-n - 1, -1))
    if before is None or now is None:
        return False
    return bool(now > HIGH_ADVERSARIAL and now > (1 + CLIMB) * before)
