"""Which predictor orders the drifts best."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.statistics.rank_correlation import compare_predictors


def test_the_correlation_is_spearmans_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=60), 1)
    y = np.round(x + rng.normal(size=60), 1)
    (found,) = compare_predictors({"x": x}, y).correlations
    assert found.rho == pytest.approx(spearmanr(x, y).statistic)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.rho < found.high


def test_the_better_predictor_is_named_only_when_it_is_beyond_doubt() -> None:
    rng = np.random.default_rng(1)
    drift = rng.normal(size=50)
    near, far = drift + 0.1 * rng.normal(size=50), drift + 2 * rng.normal(size=50)
    assert compare_predictors({"far": far, "near": near}, drift).best == "near"
    alike = compare_predictors({"a": near, "b": drift + 0.1 * rng.normal(size=50)}, drift)
    assert alike.best is None
    assert compare_predictors({"one": near}, drift).best is None


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few_configurations_determine_nothing(n: int) -> None:
    found = compare_predictors({"x": np.arange(n, dtype=float)}, np.arange(n, dtype=float))
    assert found.best is None
    assert found.correlations[0].rho is None


def test_a_constant_predictor_comes_last() -> None:
    drift = np.arange(20.0)
    found = compare_predictors({"constant": np.ones(20), "x": drift}, drift)
    assert [c.name for c in found.correlations] == ["x", "constant"]
    assert found.correlations[1].rho is None
