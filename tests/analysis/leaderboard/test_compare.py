"""Runs side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from analysis.leaderboard.compare import compare_runs, comparison_text
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.stored_run.run import open_run
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run


def test_a_comparison_repeats_what_the_runs_say(tmp_path: Path) -> None:
    plan = Plan(n_trials=40, repeats=1, pictures=False, n_windows=60, failed=0.1)
    runs = [
        open_run(fabricate_run(tmp_path / "long", plan)),
        open_run(fabricate_run(tmp_path / "other", Plan(n_trials=3, image_size=128, running=0))),
        open_run(fabricate_run(tmp_path / "none", Plan(n_trials=0))),
    ]
    table = compare_runs(runs).set_index("run")
    complete = runs[0].trials[runs[0].trials["state"] == "complete"]
    assert table.at["long", "complete"] == len(complete)
    assert table.at["long", "mean_ab_swd"] == pytest.approx(complete["ab_swd"].mean())
    assert table.at["long", "sd_ab_swd"] == pytest.approx(complete["ab_swd"].std())
    assert table.at["long", "trial_hours"] > 0
    assert table.at["long", "repeats"] >= 1
    board = build_leaderboard(runs[0]).set_index("trial_id")
    for name in ("colours", "balance"):
        assert f"best {name}" in board.at[table.at["long", f"best_{name}"], "best"]
    best = table.at["long", "best_colours"]
    assert table.at["long", "best_ab_swd"] == board.at[best, "ab_swd"]
    assert table.at["long", "balance_low"] < table.at["long", "balance_high"]
    assert "not determined" in table.at["other", "balance"]
    text = comparison_text(table.reset_index())
    assert "not determined" in text
    assert "best colours" in text
    assert "best balance" in text
    assert "best trial" not in text
    assert "differ in image size" in text
    assert max(cell_len(line) for line in text.splitlines()) <= 100


def test_many_runs_with_wide_names_still_fit(tmp_path: Path) -> None:
    run = open_run(fabricate_run(tmp_path / "run", Plan(n_trials=2, pictures=False, n_windows=9)))
    run.info["name"] = "色" * 60
    text = comparison_text(compare_runs([run] * 7))
    assert max(cell_len(line) for line in text.splitlines()) <= 100


def test_no_run_is_refused() -> None:
    with pytest.raises(RunFolderError, match="at least one RUN"):
        compare_runs([])
