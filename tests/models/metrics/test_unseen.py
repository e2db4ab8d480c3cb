"""Figures on the test photos: their columns, and whether guards hold."""

from __future__ import annotations

import pytest

from models.metrics.objective import Guard, Objective
from models.metrics.unseen import (
    MetricInterval,
    columns_of_row,
    describe_broken_guards,
    describe_figures,
    from_columns,
    to_columns,
    verdict_of,
    verdict_of_all,
)

GUARDS = Objective().guards
FIGURES = {
    "grey_skill": MetricInterval(0.02, -0.01, 0.05),
    "ab_hf_ratio": MetricInterval(0.84, 0.8, 0.88),
    "set_swd": MetricInterval(3.214, 3.02, 3.41),
}


def test_columns_hold_all_and_a_missing_number_leaves_its_metric_out() -> None:
    columns = to_columns(FIGURES)
    assert columns["test_set_swd"] == 3.214
    assert columns["test_grey_skill_low"] == -0.01
    assert from_columns(columns) == {name: FIGURES[name] for name in FIGURES}
    assert set(from_columns({**columns, "test_set_swd_high": None})) == set(FIGURES) - {"set_swd"}
    assert from_columns({"set_swd": 3.0}) == {}


@pytest.mark.parametrize(
    ("guard", "verdict"),
    [
        ("grey_skill > 0", "unclear"),
        ("grey_skill > -0.1", "holds"),
        ("grey_skill > 0.1", "breaks"),
        ("ab_hf_ratio < 2", "holds"),
        ("ab_hf_ratio < 0.8", "breaks"),
        ("psnr > 20", "unclear"),
    ],
)
def test_a_guard_is_judged_by_the_whole_interval(guard: str, verdict: str) -> None:
    assert verdict_of(Guard.parse(guard), FIGURES) == verdict


def test_one_broken_guard_breaks_all_and_no_figures_say_nothing() -> None:
    broken = (*GUARDS, Guard.parse("ab_hf_ratio > 1.2"))
    assert verdict_of_all(GUARDS, FIGURES) == "unclear"
    assert verdict_of_all(broken, FIGURES) == "breaks"
    assert verdict_of_all((), FIGURES) == "holds"
    assert verdict_of_all(GUARDS, {}) is None
    assert columns_of_row(GUARDS, {}) == {}
    assert columns_of_row(GUARDS, to_columns(FIGURES))["test_guards"] == "unclear"


def test_people_read_values_intervals_and_verdicts() -> None:
    assert describe_figures("set_swd", GUARDS, FIGURES) == [
        "set_swd 3.21 (3.02 to 3.41)",
        "grey_skill 0.020 (-0.010 to 0.050) unclear",
        "ab_hf_ratio 0.840 (0.800 to 0.880) holds",
    ]
    assert str(MetricInterval(539.4, 273.5, 827.7)) == "539 (274 to 828)"
    assert str(MetricInterval(0.0, 0.0, 0.0)) == "0.000 (0.000 to 0.000)"


def test_colours_fail_a_guard_by_the_test_photos_where_there_are_any() -> None:
    chosen = {"grey_skill": -0.1, "ab_hf_ratio": 3.0}
    assert "ab_hf_ratio is 3" in str(describe_broken_guards(GUARDS, chosen))
    row = {**chosen, **to_columns(FIGURES)}
    assert describe_broken_guards(GUARDS, row) is None  # nothing there is surely broken
    row |= to_columns({"grey_skill": MetricInterval(-0.03, -0.05, -0.01)})
    said = describe_broken_guards(GUARDS, row)
    assert said is not None
    assert said.startswith("grey_skill is -0.030 (-0.050 to -0.010) on the test photos and must be")
