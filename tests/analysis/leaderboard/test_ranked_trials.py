"""The order of the leaderboard and the words for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.ranking import Weights
from analysis.stored_run.columns import LEADERBOARD_COLUMNS
from analysis.stored_run.run import Run, open_run
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run


def run_of(tmp_path: Path, *rows: dict[str, Any]) -> Run:
    """A run whose trials are good in everything but what their row says."""
    folder = fabricate_run(tmp_path / "run", Plan(n_trials=0, running=0))
    base = {
        "state": "complete",
        "feasible": True,
        "parameter_ratio": 0.8,
        "adversarial_drift": 1.0,
        "adversarial_trend": "stagnant",
        "ab_swd": 0.05,
        "grey_skill": 0.03,
        "seconds": 60.0,
    }
    lines = [json.dumps({"trial_id": f"{i:04d}", **base, **row}) for i, row in enumerate(rows)]
    (folder / "trials.jsonl").write_text("".join(line + "\n" for line in lines))
    return open_run(folder)


def order_of(board: pd.DataFrame) -> list[str]:
    return board["trial_id"].tolist()


def test_state_guards_and_trend_come_before_the_score(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        {"state": "failed", "reason": "boom"},
        {"state": "running"},
        {"state": "pruned"},
        {"feasible": False, "ab_swd": 0.001},
        {"adversarial_trend": "falling", "ab_swd": 0.002},
        {"adversarial_trend": "rising", "ab_swd": 0.003},
        {"adversarial_trend": "unclear", "ab_swd": 0.04},
        {"adversarial_trend": "stagnant", "ab_swd": 0.2},
    )
    board = build_leaderboard(run)
    assert order_of(board) == ["0007", "0006", "0004", "0005", "0002", "0003", "0001", "0000"]
    assert board["rank"].tolist() == list(range(1, 9))
    assert list(board.columns[: len(LEADERBOARD_COLUMNS)]) == list(LEADERBOARD_COLUMNS)


@pytest.mark.parametrize(
    ("verdict", "trend"), [("gave up", "idle"), ("always wins", "overpowered")]
)
def test_a_pair_without_a_judge_never_ranks_above_a_judged_one(
    tmp_path: Path, verdict: str, trend: str
) -> None:
    """Also in runs that were stored as `stagnant`, and with repeats to show."""
    unjudged = {"discriminator_verdict": verdict, "adversarial_drift": 0.0, "ab_swd": 0.001}
    run = run_of(
        tmp_path,
        {**unjudged, "configuration_id": "a"},
        {**unjudged, "configuration_id": "a", "phase": "repeat", "repeat_of": "0000"},
        {"discriminator_verdict": "judging", "adversarial_trend": "falling", "ab_swd": 0.2},
    )
    board = build_leaderboard(run)
    assert order_of(board) == ["0002", "0000", "0001"]
    assert board["adversarial_trend"].tolist() == ["falling", trend, trend]
    assert f"D {verdict}" in board["why"][1]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"adversarial_drift": -2.0}, {"adversarial_drift": 3.0}),
        ({"parameter_ratio": 0.9}, {"parameter_ratio": 0.7}),
        ({"parameter_ratio": 1.6}, {"parameter_ratio": 0.39}),
        ({"ab_swd": 0.05}, {"ab_swd": 0.06}),
        ({"ab_swd": 0.06}, {"ab_swd": None}),
        ({"adversarial_drift": 9.0}, {"adversarial_drift": None}),
    ],
)
def test_the_score_prefers_small_drift_near_ratio_and_good_objective(
    tmp_path: Path, better: dict[str, Any], worse: dict[str, Any]
) -> None:
    run = run_of(tmp_path, worse, better, {"ab_swd": 0.07}, {"ab_swd": 0.07})
    board = build_leaderboard(run)
    assert order_of(board).index("0001") < order_of(board).index("0000")


def test_the_score_is_the_documented_sum(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        {"ab_swd": 0.04},
        {"ab_swd": 0.05, "adversarial_drift": -5.0, "parameter_ratio": 3.2},
        {"ab_swd": 0.06},
    )
    weights = Weights(drift=2.0, ratio=3.0, objective=5.0)
    board = build_leaderboard(run, weights=weights).set_index("trial_id")
    # drift 5 / 10, two octaves from 0.8, and half of best .. median .. as the median trial
    assert board.at["0001", "score"] == pytest.approx(2 * 0.5 + 3 * 2 + 5 * 1)
    assert board.at["0000", "score"] == pytest.approx(2 * 0.1)
    assert board.at["0002", "score"] == pytest.approx(2 * 0.1 + 5 * 2)


def test_weights_and_target_ratio_change_the_order(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"parameter_ratio": 0.8, "ab_swd": 0.06}, {"parameter_ratio": 0.4})
    assert order_of(build_leaderboard(run, weights=Weights(objective=0))) == ["0000", "0001"]
    assert order_of(build_leaderboard(run, weights=Weights(ratio=0))) == ["0001", "0000"]
    assert order_of(build_leaderboard(run, target_ratio=0.4)) == ["0001", "0000"]


def test_the_objective_is_that_of_the_configuration(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"ab_swd": 0.01, "grey_skill": 0.0}, {"ab_swd": 0.09, "grey_skill": 0.1})
    assert order_of(build_leaderboard(run)) == ["0000", "0001"]
    run.config["objective"] = "grey_skill"
    assert order_of(build_leaderboard(run)) == ["0001", "0000"]


def test_each_row_says_why(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        {"ab_swd": 0.04},
        {"adversarial_trend": "rising", "adversarial_drift": 40, "parameter_ratio": 3.0},
        {"adversarial_trend": "falling", "ab_swd": 0.2, "feasible": False},
        {"state": "failed", "reason": "out of\nmemory"},
        {"state": "pruned", "reason": None},
        {"state": "running"},
    )
    why = build_leaderboard(run).set_index("trial_id")["why"].to_dict()
    assert why == {
        "0000": "balanced, best ab_swd",
        "0001": "D too strong, ratio off",
        "0002": "colours fail the guards, G too strong, weak ab_swd",
        "0003": "out of memory",
        "0004": "no reason stored",
        "0005": "still training",
    }
    run.info["status"] = "interrupted"
    assert build_leaderboard(run)["why"].tolist().count("interrupted") == 1


def test_sorting_puts_the_best_first_and_the_missing_last(tmp_path: Path) -> None:
    run = run_of(
        tmp_path,
        {"grey_skill": 0.1, "colorfulness_gap": -4.0, "ab_hf_ratio": 4.0},
        {"grey_skill": 0.3, "colorfulness_gap": 3.0, "ab_hf_ratio": 0.5},
        {"grey_skill": None, "colorfulness_gap": None, "ab_hf_ratio": None},
    )
    assert order_of(build_leaderboard(run, sort="grey_skill")) == ["0001", "0000", "0002"]
    assert order_of(build_leaderboard(run, sort="colorfulness_gap")) == ["0001", "0000", "0002"]
    assert order_of(build_leaderboard(run, sort="ab_hf_ratio")) == ["0001", "0000", "0002"]
    assert order_of(build_leaderboard(run, sort="trial_id", top=2)) == ["0000", "0001"]


def test_running_trials_show_how_far_they_are(tmp_path: Path) -> None:
    plan = Plan(n_trials=4, running=2, failed=0, pruned=0, pictures=False, n_windows=20)
    run = open_run(fabricate_run(tmp_path / "run", plan))
    board = build_leaderboard(run).set_index("trial_id")
    windows, validation = run.curves("0003"), run.validation("0003")
    assert board.at["0003", "state"] == "running"
    assert board.at["0003", "steps"] == windows[-1]["step"]
    best = min(validation, key=run.comparison.sort_key)
    assert board.at["0003", "ab_swd"] == best["ab_swd"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sort": "colour"}, "must be one of rank, trial_id, .*, but got 'colour'"),
        ({"top": 0}, "at least 1, but got 0"),
        ({"target_ratio": 0.0}, "above 0, but got 0.0"),
        ({"target_ratio": float("nan")}, "above 0, but got nan"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(RunFolderError, match=words):
        build_leaderboard(run_of(tmp_path, {}), **options)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_are_checked(weight: float) -> None:
    with pytest.raises(RunFolderError, match="the weight of drift must be"):
        Weights(drift=weight)
