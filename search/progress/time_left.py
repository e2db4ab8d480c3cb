"""How long a search or a training still takes: a steady estimate from the epochs done a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: before that, what was measured is mostly how long the processes took to begin
FIRST_AFTER_SEC = 3.0
#: the shown moment of the end follows the computed one with this time constant
SMOOTHING_SEC = 20.0


class TimeLeft:
    """An estimate that moves slowly, however the epochs come in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: (clock, epochs done) when something was done for the first time
        self._began: tuple[float, float] | None = None
        self._end: float | None = None
        self._updated = 0.0

    def update(self, *, done: float, left: float) -> float | None:
        """Return the seconds left, or None as long as nobody can tell.

        Args:
            done: epochs trained in this session, fractions and all trials that run included.
            left: epochs that are expected still to be trained.
        """
        now = self._clock()
        if self._began is None:
            if done > 0:
                self._began = now, done
            return None
        began, done_before = self._began
        if now - began < FIRST_AFTER_SEC or done <= done_before:
            return None
        end = now + left * (now - began) / (done - done_before)
        if self._end is not None:
            # What was measured over a few seconds only is soon forgotten.
            smoothing = min(SMOOTHING_SEC, (now - began) / 3)
            weight = 1 - math.exp(-(now - self._updated) / smoothing)
            end = self._end + weight * (end - self._end)
        self._end, self._updated = end, now
        return max(0.0, end - now)


#: what is saved is said where it is more than rounding makes of nothing, and so much of the whole
LEAST_SAVED_SEC = 5.0
LEAST_SAVED_PART = 0.05


def is_worth_saying(saved: float, *, trained: float) -> bool:
    """Whether `saved` seconds are worth a word beside the `trained` ones."""
    return saved >= max(LEAST_SAVED_SEC, LEAST_SAVED_PART * (saved + trained))


def rough(seconds: float) -> str:
    """A length of time for people, no finer than it can be known."""
    if seconds < 60:
        return f"{max(1, round(seconds / 5)) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
