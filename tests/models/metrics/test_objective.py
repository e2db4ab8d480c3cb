from __future__ import annotations

import math
import random
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from models.metrics.names import DIRECTIONS, METRICS
from models.metrics.objective import Guard, Objective

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
moderate = st.floats(-1e9, 1e9)
guards = st.builds(Guard, st.sampled_from(METRICS), st.sampled_from(["<", ">"]), finite)


def test_objectives_are_the_metrics_with_a_better_direction() -> None:
    assert {name: way for name, way in DIRECTIONS.items() if way == "maximize"}.keys() == {
        "grey_skill",
        "psnr",
        "ssim",
    }
    assert set(METRICS) - set(DIRECTIONS) == {
        "colorfulness",
        "colorfulness_gap",
        "chroma_log_ratio",
        "ab_hf_ratio",
    }


@given(guards)
def test_a_guard_reads_back_from_its_own_words(guard: Guard) -> None:
    assert Guard.parse(str(guard)) == guard


@pytest.mark.parametrize(
    ("text", "guard"),
    [
        ("grey_skill > 0", Guard("grey_skill", ">", 0.0)),
        ("ab_hf_ratio<2", Guard("ab_hf_ratio", "<", 2.0)),
        ("  chroma_log_ratio   >-0.5 ", Guard("chroma_log_ratio", ">", -0.5)),
        ("delta_e < 1.25e1", Guard("delta_e", "<", 12.5)),
    ],
)
def test_guards_are_read_with_or_without_spaces(text: str, guard: Guard) -> None:
    assert Guard.parse(text) == guard


def test_guards_read_well() -> None:
    assert [str(guard) for guard in Objective().guards] == ["grey_skill > 0", "ab_hf_ratio < 2"]
    assert str(Guard("l1", "<", 0.1234567891)) == "l1 < 0.1234567891"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "grey_skill",
        "grey_skill >",
        "grey_skill >= 0",
        "grey_skill = 0",
        "grey_skill > nan",
        "grey_skill < inf",
        "grey_skill > zero",
        "grey_skill > 0 1",
        "grey_skill > 0; ab_hf_ratio < 2",
        "0 < grey_skill",
        "greyskill > 0",
        "epoch > 3",
    ],
)
def test_other_texts_are_no_guards(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Guard.parse(text)
    assert repr(text) in str(caught.value)
    assert "'METRIC < NUMBER'" in str(caught.value)
    assert "grey_skill" in str(caught.value)


@given(st.sampled_from(["<", ">"]), moderate, moderate)
def test_violation_is_positive_exactly_when_the_guard_is_broken(
    sign: Literal["<", ">"], bound: float, value: float
) -> None:
    holds = value < bound if sign == "<" else value > bound
    violation = Guard("l1", sign, bound).violation({"l1": value})
    assert (violation <= 0.0) == holds
    assert abs(violation) == pytest.approx(abs(value - bound), abs=1e-12)


@given(guards, st.sampled_from([None, math.nan, math.inf, -math.inf]))
def test_a_metric_without_a_value_satisfies_no_guard(guard: Guard, value: float | None) -> None:
    assert guard.violation({guard.metric: value}) > 0
    assert guard.violation({}) > 0
    assert not Objective("l1", (guard,)).feasible({guard.metric: value})


def test_the_default_objective_lets_neither_grey_nor_speckle_win() -> None:
    objective = Objective()
    lively = {"set_swd": 1.6, "grey_skill": 0.05, "ab_hf_ratio": 1.2}
    pale = {"set_swd": 2.4, "grey_skill": 0.07, "ab_hf_ratio": 0.3}
    grey = {"set_swd": 3.4, "grey_skill": 0.0, "ab_hf_ratio": 0.0}
    speckled = {"set_swd": 1.5, "grey_skill": 0.02, "ab_hf_ratio": 5.0}
    broken = {"set_swd": math.nan, "grey_skill": 0.2, "ab_hf_ratio": 1.0}
    unmeasured = {"set_swd": None, "grey_skill": 0.2, "ab_hf_ratio": 1.0}
    assert [objective.feasible(m) for m in (lively, pale, grey, speckled)] == [1, 1, 0, 0]
    ranked = sorted([broken, grey, pale, speckled, lively], key=objective.sort_key)
    assert ranked[0] == lively
    assert ranked[1] == pale
    assert ranked[-1] == broken
    assert objective.sort_key(unmeasured) == objective.sort_key(broken) == objective.sort_key({})


@given(
    st.sampled_from(["<", ">"]), st.floats(-100, 100), st.floats(-100, 100), st.floats(1e-9, 1e-6)
)
def test_no_bound_is_a_cliff(
    sign: Literal["<", ">"], bound: float, value: float, step: float
) -> None:
    guard = Guard("l1", sign, bound)
    before, after = guard.penalty({"l1": value}), guard.penalty({"l1": value + step})
    assert before >= 0
    # The steepest place of the logarithmic scale is its start, half the bound.
    width = 0.3 * max(bound, 1e-300) if sign == "<" and bound > 0 else 0.05
    assume(width > 1e-3)
    assert abs(after - before) <= step / width + 1e-9


@given(st.builds(Guard, st.sampled_from(METRICS), st.sampled_from(["<", ">"]), moderate))
def test_a_penalty_starts_before_the_bound(guard: Guard) -> None:
    assert guard.penalty({guard.metric: guard.bound}) == pytest.approx(0.5)
    inside = -1.0 if guard.sign == "<" else 1.0
    far = guard.bound + inside * max(0.06, 0.6 * abs(guard.bound))
    assert guard.penalty({guard.metric: far}) == 0
    assert guard.penalty({guard.metric: None}) > guard.penalty({guard.metric: guard.bound})


@given(st.sampled_from(sorted(DIRECTIONS)), moderate)
def test_what_keeps_far_from_its_guards_is_not_penalized(metric: str, value: float) -> None:
    objective = Objective(metric, (Guard("chroma_log_ratio", ">", -1.0),))
    assert objective.penalized({metric: value, "chroma_log_ratio": 0.0}) == value
    worse = objective.penalized({metric: value, "chroma_log_ratio": -2.0})
    assert worse is not None
    assert (worse > value) == (objective.direction == "minimize")


@given(st.sampled_from(sorted(DIRECTIONS)), st.lists(finite, min_size=2, max_size=8))
def test_the_better_value_comes_first(metric: str, values: list[float]) -> None:
    objective = Objective(metric, ())
    rows = [{metric: value} for value in values]
    random.Random(0).shuffle(rows)
    best = min(rows, key=objective.sort_key)[metric]
    assert best == (min(values) if objective.direction == "minimize" else max(values))


@pytest.mark.parametrize("metric", ["colorfulness", "chroma_log_ratio", "nonsense", ""])
def test_only_metrics_with_a_better_direction_are_objectives(metric: str) -> None:
    with pytest.raises(InputError, match="objective must be one of l1, grey_skill") as caught:
        Objective(metric)
    assert repr(metric) in str(caught.value)
