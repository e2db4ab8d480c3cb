"""Best colours and best balance: two winners, named alike everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from tests.analysis.leaderboard.test_ranked_trials import run_of


def named(tmp_path: Path, *rows: dict[str, Any]) -> tuple[str | None, str | None, str]:
    run = run_of(tmp_path, *rows)
    found = winners(build_leaderboard(run), run.objective)
    return found.best_colours, found.best_balance, found.why


def test_the_two_winners_differ_and_the_sentence_says_why(tmp_path: Path) -> None:
    rows = (
        {"ab_swd": 8.0, "adversarial_trend": "rising", "adversarial_drift": 30.0},
        {"ab_swd": 9.0},
        {"ab_swd": 1.0, "grey_skill": -2.0, "feasible": False},
        {"ab_swd": 10.0, "state": "pruned"},
    )
    colours, balance, why = named(tmp_path, *rows)
    assert (colours, balance) == ("0000", "0001")
    assert why == (
        "Trial 0000 has the best colours (ab_swd 8 against 9), trial 0001 the best balance: the "
        "adversarial loss of trial 0001 is stagnant (drift +1.0 %, D/G 0.8), while that of trial "
        "0000 is rising (drift +30.0 %, D/G 0.8)."
    )
    board = build_leaderboard(run_of(tmp_path, *rows), sort="ab_swd")
    assert dict(zip(board["trial_id"], board["best"].fillna(""), strict=True)) == {
        "0000": "best colours",
        "0001": "best balance",
        "0002": "",
        "0003": "",
    }
    # Whatever the rows are sorted by, and whatever the search optimised.
    assert winners(board, "ab_swd").best_balance == "0001"
    plain = board.drop(columns="penalized_objective")
    assert winners(plain, "grey_skill").best_colours == "0000"


def test_a_guard_costs_what_it_costs_and_excludes_no_trial(tmp_path: Path) -> None:
    """As in the search itself: 8.0 just beyond a bound is better than 8.5, 8.4 far beyond not."""
    measured = {"ab_hf_ratio": 1.0}
    rows = (
        {**measured, "ab_swd": 8.5, "grey_skill": 0.1},
        {**measured, "ab_swd": 8.0, "grey_skill": -0.001, "feasible": False},
        {**measured, "ab_swd": 8.4, "grey_skill": -0.1, "feasible": False},
    )
    colours, balance, why = named(tmp_path, *rows)
    assert (colours, balance) == ("0001", "0000")
    assert "(ab_swd 8 against 8.5)" in why
    assert why.endswith("The colours of trial 0001 fail the guards, so that it ranks lower.")
    colours, balance, why = named(tmp_path, rows[0], rows[2])
    assert colours == balance == "0000"


def test_a_lower_value_that_nears_a_guard_is_explained(tmp_path: Path) -> None:
    """Else the sentence would say that 8.3 is better than 8.2."""
    rows = (
        {"ab_swd": 8.3, "grey_skill": 0.1, "ab_hf_ratio": 1.0, "adversarial_trend": "rising"},
        {"ab_swd": 8.2, "grey_skill": 0.1, "ab_hf_ratio": 1.9},
    )
    colours, balance, why = named(tmp_path, *rows)
    assert (colours, balance) == ("0000", "0001")
    values = r"\(ab_swd 8\.3 against 8\.2, or 8\.3 against [89]\.\d+ with the cost of guards\)"
    assert re.search(values, why)


def test_a_trial_that_was_stopped_early_counts_with_its_best_epoch(tmp_path: Path) -> None:
    rows = (
        {"ab_swd": 9.0},
        {"ab_swd": 8.0, "state": "pruned"},
        {"ab_swd": None, "state": "pruned"},
    )
    assert named(tmp_path, *rows)[:2] == ("0001", "0000")
    # One that was stopped before it was ever measured is no winner, also where no other ended.
    assert named(tmp_path, rows[2])[2] == "No trial has ended."


def test_the_best_balance_is_rank_1(tmp_path: Path) -> None:
    """Also where a trial that was stopped early is the only one to satisfy the guards."""
    rows = ({"feasible": False, "ab_swd": 8.0}, {"state": "pruned", "ab_swd": 9.0})
    board = build_leaderboard(run_of(tmp_path, *rows))
    assert named(tmp_path, *rows)[:2] == ("0000", board["trial_id"][0]) == ("0000", "0001")


def test_repeats_that_hold_are_told_from_a_single_seed(tmp_path: Path) -> None:
    """The confirmed configuration ranks below: its discriminator gave up."""
    first = {"configuration_id": "a", "discriminator_verdict": "gave up"}
    rows = (
        {**first, "phase": "search", "ab_swd": 8.5},
        {**first, "phase": "repeat", "repeat_of": "0000", "ab_swd": 8.6},
        {"configuration_id": "b", "phase": "search", "ab_swd": 8.0},
    )
    colours, balance, why = named(tmp_path, *rows)
    assert (colours, balance) == ("0000", "0002")
    assert "(ab_swd 8.6 over 1 seed against 8 with one seed)" in why
    assert why.endswith("D/G 0.8), while the discriminator of trial 0000 gave up.")


def test_one_trial_may_be_both(tmp_path: Path) -> None:
    colours, balance, why = named(tmp_path, {"ab_swd": 9.0}, {"ab_swd": 8.0})
    assert colours == balance == "0001"
    assert "has both" in why


def test_repeats_that_break_a_guard_do_not_win_by_their_mean(tmp_path: Path) -> None:
    """8.90 feasible once with three infeasible repeats of mean 8.25, beside a feasible 8.60."""
    first = {"configuration_id": "a", "phase": "search"}
    again = {"configuration_id": "a", "phase": "repeat", "repeat_of": "0000", "feasible": False}
    rows = (
        {**first, "ab_swd": 8.90},
        *({**again, "ab_swd": value} for value in (8.2, 8.25, 8.3)),
        {"configuration_id": "b", "phase": "search", "ab_swd": 8.60},
    )
    assert named(tmp_path, *rows)[:2] == ("0004", "0004")
    board = build_leaderboard(run_of(tmp_path, *rows))
    assert board["trial_id"][0] == "0004"
    why = dict(zip(board["trial_id"], board["why"], strict=True))
    assert why["0000"].startswith("3 of 3 repeats fail the guards, ab_swd 8.25 ± 0.05 over 3 seeds")


def test_repeats_that_hold_come_before_one_lucky_seed(tmp_path: Path) -> None:
    rows = (
        {"configuration_id": "a", "phase": "search", "ab_swd": 8.5},
        {"configuration_id": "a", "phase": "repeat", "repeat_of": "0000", "ab_swd": 8.6},
        {"configuration_id": "b", "phase": "search", "ab_swd": 8.0},
    )
    colours, _, why = named(tmp_path, *rows)
    assert colours == "0000"
    assert "ab_swd 8.6 over 1 seed" in why


@pytest.mark.parametrize(
    ("rows", "expected", "words"),
    [
        ((), (None, None), "No trial has ended."),
        (({"state": "running"}, {"state": "failed"}), (None, None), "No trial has ended."),
        (({"state": "pruned"},), ("0000", "0000"), "has both"),
        (({"ab_swd": None},), ("0000", "0000"), "ab_swd not measured"),
        (({"feasible": False},), ("0000", "0000"), "No complete trial satisfies the guards."),
        (
            ({"discriminator_verdict": "gave up"},),
            ("0000", "0000"),
            "its discriminator gave up. Trial 0000 is first by rank only",
        ),
    ],
)
def test_runs_with_little_to_choose_from(
    tmp_path: Path,
    rows: tuple[dict[str, Any], ...],
    expected: tuple[str | None, str | None],
    words: str,
) -> None:
    colours, balance, why = named(tmp_path, *rows)
    assert (colours, balance) == expected
    assert words in why
