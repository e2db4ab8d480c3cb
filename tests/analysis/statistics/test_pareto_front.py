"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.statistics.pareto_front import on_front, pareto_front

COSTS = st.integers(1, 3).flatmap(
    lambda k: arrays(
        np.float64,
        st.tuples(st.integers(0, 25), st.just(k)),
        elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.inf, np.nan]),
    )
)


@given(COSTS)
def test_the_front_is_what_nothing_dominates(costs: np.ndarray) -> None:
    expected = [
        not np.isnan(row).any()
        and not any(
            (other <= row).all() and (other < row).any()
            for other in costs
            if not np.isnan(other).any()
        )
        for row in costs
    ]
    assert on_front(costs).tolist() == expected


def test_only_feasible_trials_that_ended_are_on_it() -> None:
    trials = pd.DataFrame(
        {
            "state": ["complete", "failed", "pruned", "complete", "running"],
            "feasible": [True, False, True, False, False],
            "ab_swd": [2.0, 0.1, 1.0, 0.5, 0.2],
            "grey_skill": [0.2, 0.9, 0.1, 0.8, 0.7],
        }
    )
    front = pareto_front(trials, ("ab_swd", "grey_skill"))
    assert front.tolist() == [True, False, True, False, False]
    assert not pareto_front(trials, ("ab_swd", "psnr")).any()
