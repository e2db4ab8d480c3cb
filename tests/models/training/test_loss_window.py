from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.training.loss_window import LossWindow, NonFiniteLossError
from models.training.step import StepKind, StepLosses

NAN = math.nan
#: a step: its seven losses, whether the generator listens, whether the discriminator learns
steps = st.lists(
    st.tuples(
        st.lists(st.floats(0, 100, width=32), min_size=7, max_size=7), st.booleans(), st.booleans()
    ),
    min_size=1,
    max_size=30,
)


def losses(values: list[float], *, adversarial: bool, trained: bool) -> StepLosses:
    """What `AdversarialPair.step` gives: NaN for what did not happen."""
    reconstruction, adversarial_loss, total, *judged = values
    if not adversarial:
        adversarial_loss, total = NAN, reconstruction
    if not (adversarial and trained):
        judged = [NAN] * 4
    named = (reconstruction, adversarial_loss, total, *judged)
    return StepLosses(*(torch.tensor(value) for value in named))


@given(steps, st.integers(1, 5), st.floats(0, 1))
def test_means_and_moving_averages_equal_a_plain_loop(
    steps: list[tuple[list[float], bool, bool]], window_steps: int, smoothing: float
) -> None:
    window = LossWindow(smoothing=smoothing)
    averages: dict[str, float] = {}
    gathered: dict[str, list[float]] = {}
    for number, (values, adversarial, trained) in enumerate(steps, start=1):
        window.add(
            torch.stack(losses(values, adversarial=adversarial, trained=trained)),
            StepKind(adversarial, trained),
        )
        happened = {"reconstruction": values[0]}
        if adversarial:
            happened |= {"adversarial": values[1], "total": values[2]}
            if trained:
                happened |= dict(zip(StepLosses._fields[3:], values[3:], strict=True))
                happened["discriminator"] = (values[3] + values[4]) / 2
        for name, value in happened.items():
            gathered.setdefault(name, []).append(value)
            averages[name] = smoothing * averages.get(name, value) + (1 - smoothing) * value
        if len(window) == window_steps:
            row = window.close(step=number)
            assert len(window) == 0
            expected = expected_row(gathered, averages)
            assert row.keys() == expected.keys()
            for name, value in expected.items():
                if value is None:
                    assert row[name] is None
                else:
                    assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-9)
            gathered.clear()


def expected_row(
    gathered: dict[str, list[float]], averages: dict[str, float]
) -> dict[str, float | None]:
    """The keys of docs/architecture.md, with None for what did not happen."""
    means = {name: sum(values) / len(values) for name, values in gathered.items()}
    averaged = (
        "reconstruction",
        "adversarial",
        "total",
        "discriminator_real",
        "discriminator_fake",
        "discriminator",
    )
    row = {name: means.get(name) for name in (*averaged, "probability_real", "probability_fake")}
    return row | {f"{name}_ema": averages.get(name) for name in averaged}


def test_a_moving_average_outlives_windows_in_which_nothing_happened() -> None:
    window = LossWindow(smoothing=0.98)
    window.add(torch.stack(plain_losses(1.0)), StepKind(True, True))
    first = window.close(step=1)
    window.add(torch.stack(plain_losses(2.0)), StepKind(True, False))
    second = window.close(step=2)
    assert first["discriminator"] == first["discriminator_ema"] == 1.0
    assert second["discriminator"] is None
    assert second["probability_real"] is None
    assert second["discriminator_ema"] == 1.0
    assert second["adversarial_ema"] == pytest.approx(0.98 * 1.0 + 0.02 * 2.0)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, NAN])
@pytest.mark.parametrize("name", StepLosses._fields)
def test_a_non_finite_loss_is_named_with_its_step(name: str, bad: float) -> None:
    window = LossWindow(smoothing=0.98)
    for step in range(7):
        spoilt: dict[str, Any] = {name: torch.tensor(bad)} if step == 4 else {}
        window.add(torch.stack(plain_losses(0.5)._replace(**spoilt)), StepKind(True, True))
    with pytest.raises(NonFiniteLossError, match=rf"^{name} was {bad} at step 105$"):
        window.close(step=107)


def test_what_did_not_happen_is_no_failure() -> None:
    window = LossWindow(smoothing=0.98)
    nothing = StepLosses(torch.tensor(1.0), *[torch.tensor(NAN)] * 6)
    window.add(torch.stack(nothing), StepKind(False, True))
    row = window.close(step=1)
    assert {name for name, value in row.items() if value is not None} == {
        "reconstruction",
        "reconstruction_ema",
    }


def plain_losses(value: float) -> StepLosses:
    return StepLosses(*[torch.tensor(value)] * 7)
