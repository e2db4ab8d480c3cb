"""The ratio at which a planted drift crosses zero."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.zero_crossing import FloatArray, zero_crossing


def configurations(
    n: int, zero: float = 0.8, slope: float = 25.0, noise: float = 5.0, seed: int = 0
) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    x = np.log2(zero) + rng.uniform(-2, 2, n)
    return 2**x, slope * (x - np.log2(zero)) + rng.normal(0, noise, n)


def jagged(first: float, last: float) -> FloatArray:
    return np.linspace(first, last, 30) + np.tile([1.0, -1.0, 0.5], 10)


def test_the_planted_ratio_is_found() -> None:
    ratio, drift = configurations(40)
    found = zero_crossing(ratio, drift)
    assert found.determined
    assert found.ratio == pytest.approx(0.8, rel=0.1)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.8 < found.high
    assert found.high / found.low < 1.4
    assert found.drift_per_doubling == pytest.approx(25, rel=0.2)


def test_without_noise_a_curved_drift_is_found_exactly() -> None:
    x = np.linspace(-2, 2, 30)
    found = zero_crossing(2**x, 20 * (x - 0.3) + 6 * (x - 0.3) ** 2)
    assert found.ratio == pytest.approx(2**0.3, rel=1e-3)


def test_outliers_do_not_move_it_far() -> None:
    for seed in range(5):
        ratio, drift = configurations(40, seed=seed)
        drift[[3, 17]] = 5000.0
        assert zero_crossing(ratio, drift).ratio == pytest.approx(0.8, rel=0.15)


def test_covariates_explain_noise_away() -> None:
    ratio, drift = configurations(60)
    rate = np.random.default_rng(1).permutation(np.linspace(-1, 1, 60))
    disturbed = drift + 60 * rate
    with_rate = zero_crossing(ratio, disturbed, rate[:, None])
    without = zero_crossing(ratio, disturbed)
    assert with_rate.adjusted
    assert not without.adjusted
    assert with_rate.ratio == pytest.approx(0.8, rel=0.1)
    widths = [np.log(c.high / c.low) if c.determined else np.inf for c in (with_rate, without)]
    assert widths[0] < 0.6 * widths[1]


def test_draws_that_determine_nothing_leave_it_undetermined() -> None:
    """Weights that rest on two of these ratios made the normal equations singular."""
    ratio = [
        0.876,
        1.366,
        0.729,
        0.985,
        1.004,
        0.67,
        0.654,
        1.587,
        0.949,
        0.763,
        1.063,
        1.078,
        1.194,
    ]
    drift = [0.1, 8.3, -5.1, 12.2, -7.6, -1.9, -13, 21.1, -5.2, -0.1, -22, 19.5, 14.5]
    found = zero_crossing(
        np.array([*ratio, 0.883, 0.767, 0.236]), np.array([*drift, 20.3, -16.8, -16.4])
    )
    assert not found.determined


def test_the_same_data_give_the_same_answer() -> None:
    ratio, drift = configurations(20)
    first, second = zero_crossing(ratio, drift), zero_crossing(ratio, drift)
    assert (first.ratio, first.low, first.high) == (second.ratio, second.low, second.high)


@pytest.mark.parametrize(
    ("ratio", "drift", "words"),
    [
        (np.empty(0), np.empty(0), "it takes at least 10 configurations"),
        (np.ones(1), np.ones(1), "it takes at least 10 configurations"),
        (np.ones(30), np.linspace(-9, 9, 30), "fewer than 4 different ratios"),
        (np.linspace(0.1, 2, 30), np.zeros(30), "does not vary"),
        (*configurations(30, slope=0.0, noise=20), "beyond its noise"),
        (2 ** np.linspace(-3, 0, 30), jagged(20, 60), "below the ratios tried"),
        (2 ** np.linspace(-3, 0, 30), jagged(-60, -20), "above the ratios tried"),
    ],
)
def test_what_the_data_do_not_determine_is_said(
    ratio: FloatArray, drift: FloatArray, words: str
) -> None:
    found = zero_crossing(ratio, drift)
    assert not found.determined
    assert found.ratio is None
    assert words in found.reason
