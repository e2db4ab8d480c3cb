"""Trends of curves whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.statistics.stagnation import trend_of
from tests.analysis.planted import NOISES, curve_of


def line(drift_percent: float, n: int = 200, noise: float = 0.03, seed: int = 0) -> list[float]:
    """A curve of level 1 whose last half drifts by `drift_percent`."""
    t = np.linspace(0, 1, n)
    noise_n = np.random.default_rng(seed).normal(0, noise, n)
    return list(1 + drift_percent / 100 * 2 * (t - 0.75) + noise_n)


@pytest.mark.parametrize(
    ("drift", "trend"), [(0, "stagnant"), (40, "rising"), (-40, "falling"), (10, "unclear")]
)
def test_the_trend_of_a_clear_curve(drift: float, trend: str) -> None:
    result = trend_of(line(drift))
    assert result.trend == trend
    assert result.drift == pytest.approx(drift, abs=2)
    assert result.low is not None
    assert result.high is not None
    assert result.low < drift < result.high


def test_only_the_last_half_counts_and_outliers_do_not() -> None:
    values: list[float | None] = [5.0 - 0.04 * i for i in range(100)]
    values += line(0, n=200)[100:]
    values[150] = 1e6
    values[160] = math.nan
    values[170] = None
    assert trend_of(values).trend == "stagnant"


def test_positions_matter() -> None:
    steps = [float(i) for i in range(100)] + [100 + 10.0 * i for i in range(100)]
    values = [1 + 0.001 * s for s in steps]
    assert trend_of(values, steps=steps).drift == pytest.approx(
        100 * 0.001 * (steps[-1] - 550) / (1 + 0.001 * 820), rel=0.02
    )


@pytest.mark.parametrize(
    "values",
    [
        [],
        [None],
        [1.0],
        [1.0, 2.0],
        [0.7] * 50,
        [0.0] * 50,
        [math.nan] * 50,
        [None] * 49 + [1.0],
        [1.0, None, math.inf] * 4,
        [1e308, -1e308] * 30,
        [10**400, 1.0, 2.0] * 9,
    ],
)
def test_curves_without_an_answer_are_unclear(values: list[float | None]) -> None:
    result = trend_of(values)
    assert result.trend == "unclear"
    assert result.reason


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers()),
        max_size=300,
    )
)
def test_no_curve_breaks_it_and_no_number_is_infinite(values: list[float | None]) -> None:
    result = trend_of(values)
    for number in (result.drift, result.low, result.high, result.level):
        assert number is None or math.isfinite(number)
    if result.low is not None:
        assert result.high is not None
        assert result.drift is not None
        assert result.low <= result.drift <= result.high


def test_hits_and_false_alarms_on_curves_of_known_truth() -> None:
    """A small version of benchmarks/trend_hit_rates.py: 1,080 curves, six kinds of noise."""
    rng = np.random.default_rng(11)
    truths = {0.0: "stagnant", 40.0: "rising", -40.0: "falling"}
    hits, covered, intervals, false = 0, 0, 0, 0
    n_curves = 0
    for drift, truth in truths.items():
        for noise in NOISES:
            for n in (120, 300):
                for _ in range(30):
                    found = trend_of(curve_of(drift, n, noise, rng))
                    n_curves += 1
                    hits += found.trend == truth
                    false += found.trend not in (truth, "unclear")
                    if found.low is not None and found.high is not None:
                        intervals += 1
                        covered += found.low <= drift <= found.high
    assert n_curves >= 1000
    assert false / n_curves < 0.02
    assert hits / n_curves > 0.7
    assert 0.87 < covered / intervals < 0.98
