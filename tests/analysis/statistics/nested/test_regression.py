"""The mixed model against least squares, and its variances against planted ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.nested.measured import (
    Measured,
    groups_of,
    jackknife,
    more_for_reach,
    more_to_tell_from_zero,
)
from analysis.statistics.nested.regression import fit_nested, own_share


def test_with_equal_seeds_it_is_least_squares_on_the_means() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12))
    fitted = fit_nested(np.column_stack([np.ones(12), x]), y, np.full(12, 4.0), 3.0)
    wanted = stats.linregress(x, y)
    slope = fitted.at(np.array([0.0, 1.0]))
    assert slope.value == pytest.approx(wanted.slope)
    assert slope.standard_error == pytest.approx(wanted.stderr)
    assert slope.p_value() == pytest.approx(wanted.pvalue)
    reach = stats.t.ppf(0.95, 10) * wanted.stderr
    assert slope.interval() == pytest.approx((wanted.slope - reach, wanted.slope + reach))


def test_a_configuration_with_many_seeds_weighs_more() -> None:
    """Without a difference between configurations a mean counts with its number of seeds."""
    design, means = np.ones((6, 1)), np.array([10.0, 0.5, -0.5, 0.2, -0.3, 0.1])
    n_seeds = np.array([1.0, 40, 40, 40, 40, 40])
    fitted = fit_nested(design, means, n_seeds, 400.0)
    assert fitted.at(np.ones(1)).value == pytest.approx(n_seeds @ means / n_seeds.sum())
    # Where configurations themselves differ by far more than their seeds, each counts once.
    apart = fit_nested(design, 1000 * means, n_seeds, 400.0)
    assert apart.at(np.ones(1)).value == pytest.approx(1000 * means.mean(), rel=1e-3)


def test_a_new_configuration_tells_more_than_another_seed() -> None:
    """With as much variance between configurations as between seeds, 16 seeds count twice."""
    rng = np.random.default_rng(3)
    between, seeds, n = 100.0, 16, 400
    means = rng.normal(0, np.sqrt(between + between / seeds), n)
    fitted = fit_nested(np.ones((n, 1)), means, np.full(n, float(seeds)), between)
    assert fitted.n_equivalent / n == pytest.approx(2 / (1 + 1 / seeds), rel=0.1)


def test_own_share_is_what_others_leave() -> None:
    x = np.arange(10.0)
    ones = np.ones((10, 1))
    assert own_share(x, ones) == pytest.approx(1.0)
    assert own_share(3 * x + 1, np.column_stack([ones, x])) == pytest.approx(0.0, abs=1e-12)
    assert own_share(np.ones(10), ones) == 0.0


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=30)
    without = (values.sum() - values) / 29
    found = jackknife(float(values.mean()), without)
    assert found.standard_error == pytest.approx(stats.sem(values))
    assert found.freedom == 29
    masks = groups_of(np.repeat(np.arange(200.0), 2))
    assert len(masks) == 60
    assert np.array(masks).sum(axis=0).tolist() == [1] * 400
    assert len(groups_of(np.array([3.0, 7.0, 3.0]))) == 2


def test_more_trainings_follow_the_square_root() -> None:
    found = Measured(value=1.0, standard_error=2.0, freedom=1e6)
    assert more_for_reach(found, found.reach() / 2, n_trainings=50) == pytest.approx(150, abs=1)
    assert more_for_reach(found, 10 * found.reach(), n_trainings=50) == 1
    # An effect of (z at 0.99 + z at 0.8) standard errors is found by 80 of 100 runs.
    power = stats.norm.sf(stats.norm.ppf(0.99) - (stats.norm.ppf(0.99) + stats.norm.ppf(0.8)))
    assert power == pytest.approx(0.8)
    effect = Measured(
        value=stats.norm.ppf(0.99) + stats.norm.ppf(0.8), standard_error=2.0, freedom=9
    )
    assert more_to_tell_from_zero(effect, n_trainings=100) == 300
    assert (
        more_to_tell_from_zero(Measured(value=0, standard_error=1, freedom=9), n_trainings=9)
        is None
    )
