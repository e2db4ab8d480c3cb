"""Where curves flattened, against curves whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.change_point import flattening_of
from tests.analysis.planted import NOISES, Noise, noise_of


@pytest.mark.parametrize("noise", NOISES)
def test_the_knee_of_a_broken_stick_is_found(noise: Noise) -> None:
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, 200)
    errors = []
    for _ in range(20):
        knee = rng.uniform(0.15, 0.7)
        y = 2 + 1.2 * np.maximum(knee - t, 0) / knee + 0.03 * noise_of(noise, 200, rng)
        found = flattening_of(y.tolist(), steps=(100 * t).tolist())
        assert found.shape == "flattened"
        assert found.step is not None
        assert found.level == pytest.approx(2, abs=0.05)
        errors.append(abs(found.step / 100 - knee))
    assert np.median(errors) < 0.03


def test_curves_without_a_knee() -> None:
    rng = np.random.default_rng(4)
    t = np.linspace(0, 1, 150)
    noise = 0.02 * noise_of("red 0.5", 150, rng)
    assert flattening_of((1 + noise).tolist()).shape == "flat throughout"
    assert flattening_of((1.6 - 0.6 * t + noise).tolist()).shape == "still moving"
    assert flattening_of((1 + abs(t - 0.4) + noise).tolist()).shape == "still moving"
    assert flattening_of((1 + np.exp(-12 * t) + noise).tolist()).level == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    "values", [[], [1.0] * 15, [0.5] * 100, [math.nan] * 50, [1e308, -1e308] * 20]
)
def test_curves_without_an_answer_are_unclear(values: list[float | None]) -> None:
    found = flattening_of(values)
    assert (found.shape, found.step, found.level) == ("unclear", None, None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.integers()), max_size=120))
def test_no_curve_breaks_it(values: list[float | None]) -> None:
    found = flattening_of(values)
    assert (found.step is None) == (found.shape in ("unclear", "still moving"))
