"""The estimate of the time left: near the truth, and steady however the epochs come in."""

from __future__ import annotations

import pytest

from search.progress.time_left import TimeLeft, rough


def estimates(*, epoch_sec: float, validation_sec: float, epochs: int, slots: int) -> list[float]:
    """What is shown four times a second of epochs of equal length, with validations between."""
    now = 0.0
    time_left, shown = TimeLeft(lambda: now), []
    whole = epoch_sec + validation_sec
    while now < epochs * whole:
        begun, within = divmod(now, whole)
        done = slots * (begun + min(1.0, within / epoch_sec))
        if (left := time_left.update(done=done, left=slots * epochs - done)) is not None:
            shown.append(left)
            assert left == pytest.approx(epochs * whole - now, rel=0.4, abs=0.4 * whole)
        now += 0.25
    return shown


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize(("epoch_sec", "validation_sec"), [(60.0, 10.0), (5.0, 2.0), (0.5, 0.2)])
def test_it_neither_jumps_nor_lies(epoch_sec: float, validation_sec: float, slots: int) -> None:
    shown = estimates(epoch_sec=epoch_sec, validation_sec=validation_sec, epochs=20, slots=slots)
    # It begins within the first epoch.
    assert len(shown) > 4 * 19 * (epoch_sec + validation_sec) - 4 * 4
    first_epoch = int(4 * (epoch_sec + validation_sec))
    for i, (before, after) in enumerate(zip(shown, shown[20:], strict=False)):
        # Five seconds later it is five seconds less, give or take a tenth; before the first
        # validation nobody knows how long these take.
        tolerance = 0.1 if i > first_epoch else 0.35
        assert after == pytest.approx(before - 5, rel=tolerance, abs=5)


def test_fewer_trials_to_come_move_it_gradually() -> None:
    now = 0.0
    time_left = TimeLeft(lambda: now)
    shown = []
    for tick in range(400):
        now = tick / 4
        # After 60 s it turns out that half of what was to come falls away.
        to_come = 1000.0 if now < 60 else 500.0
        shown.append(time_left.update(done=1 + now, left=to_come))
    assert shown[239] == pytest.approx(1000, rel=0.05)
    assert shown[245] is not None
    assert shown[245] > 900
    assert shown[399] == pytest.approx(500, rel=0.2)


def test_nothing_is_known_before_something_was_done() -> None:
    time_left = TimeLeft(lambda: 0.0)
    assert time_left.update(done=0, left=5) is None
    assert time_left.update(done=1, left=4) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "5 s"), (33, "35 s"), (59, "60 s"), (100, "2 min"), (3599, "1 h 0 min")],
)
def test_it_is_said_no_finer_than_it_is_known(seconds: float, text: str) -> None:
    assert rough(seconds) == text
