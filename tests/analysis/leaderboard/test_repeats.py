"""Configurations trained again: mean, deviation, and a ranking that luck does not fool."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.leaderboard.ranking import Weights, costs_of, order_of
from analysis.leaderboard.repeats import repeat_words, with_repeats


def _trials() -> pd.DataFrame:
    rows = [
        ("a", "search", 1.0, "complete"),  # lucky
        ("b", "search", 2.0, "complete"),
        ("c", "search", 9.0, "complete"),
        ("a", "repeat", 5.0, "complete"),
        ("a", "repeat", 7.0, "complete"),
        ("b", "repeat", 2.5, "complete"),
        ("b", "repeat", 99.0, "failed"),
    ]
    table = pd.DataFrame(rows, columns=["configuration_id", "phase", "ab_swd", "state"])
    return table.assign(parameter_ratio=0.8, adversarial_drift=0.0, feasible=True)


def test_the_mean_leaves_out_the_trial_that_was_chosen() -> None:
    table = with_repeats(_trials(), "ab_swd")
    assert table["repeats"].tolist() == [2, 1, 0, 2, 2, 1, 0]
    assert table["objective_mean"].tolist()[:2] == [6.0, 2.5]
    assert table["objective_sd"][0] == pytest.approx(2**0.5)
    assert pd.isna(table["objective_sd"][1])
    assert repeat_words(table, "ab_swd")[:3] == [
        "ab_swd 6 ± 1.4 over 2 seeds",
        "ab_swd 2.5 over 1 seed",
        "",
    ]


def test_a_lucky_seed_does_not_win() -> None:
    plain = costs_of(_trials(), objective="ab_swd", target_ratio=0.8).objective
    assert plain[0] < plain[1]
    repeated = costs_of(
        with_repeats(_trials(), "ab_swd"), objective="ab_swd", target_ratio=0.8
    ).objective
    assert repeated[1] < repeated[0]
    assert repeated[0] == repeated[3] == repeated[4]


def test_what_was_trained_once_comes_after_what_was_repeated() -> None:
    trials = _trials().assign(feasible=True, adversarial_trend="unclear")
    # Trained once, with a value and a trend that beat those of every repeated one.
    trials.loc[2, ["ab_swd", "adversarial_trend"]] = [2.2, "stagnant"]

    def order(table: pd.DataFrame) -> list[str]:
        costs = costs_of(table, objective="ab_swd", target_ratio=0.8)
        return table["configuration_id"].iloc[order_of(table, costs.score(Weights()))].tolist()

    assert order(trials)[0] == "c"
    assert order(with_repeats(trials, "ab_swd")) == ["b", "b", "a", "a", "a", "c", "b"]
    # A configuration that breaks a guard gains nothing by repeats.
    broken = trials.assign(feasible=trials["configuration_id"] == "c")
    assert order(with_repeats(broken, "ab_swd"))[0] == "c"


def test_a_run_without_repeats_has_no_such_columns() -> None:
    table = _trials().assign(phase="search")
    assert with_repeats(table, "ab_swd") is table
    assert repeat_words(table, "ab_swd") == [""] * len(table)
