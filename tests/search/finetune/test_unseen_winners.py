"""The winners that people are shown have figures on the test photos, also if stopped early."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.leaderboard.on_test_photos import describe_on_test_photos
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.stored_run.run import open_run
from models.bundle.store import load_bundle
from models.metrics.unseen import TEST_COLUMNS, TEST_GUARDS
from search.cli.main import main
from search.finetune.unseen_winners import measure_winners
from search.run.directory import RunFolder, read_json, read_rows, write_json

pytestmark = pytest.mark.usefixtures("run")


@pytest.fixture
def stopped(run: Path, tmp_path: Path) -> Path:
    """A run whose best colours are those of trial 0003, which was stopped as early as 0004."""
    copy = tmp_path / "stopped"
    shutil.copytree(run, copy)
    row = next(r for r in reversed(read_rows(copy / "trials.jsonl")) if r["trial_id"] == "0000")
    assert set(TEST_COLUMNS) <= row.keys()
    early = {name: value for name, value in row.items() if not name.startswith("test_")}
    early |= {"state": "pruned", "reason": "stopped at epoch 1: behind"}
    with (copy / "trials.jsonl").open("a") as rows:
        for trial_id, better in (("0003", 1.0), ("0004", 0.5)):
            shutil.copytree(copy / "trials/0000", copy / "trials" / trial_id)
            (copy / "trials" / trial_id / "test.json").unlink()
            value = {"penalized_objective": row["penalized_objective"] - better}
            rows.write(json.dumps({**early, **value, "trial_id": trial_id}) + "\n")
    return copy


def board_of(folder: Path) -> pd.DataFrame:
    return build_leaderboard(open_run(folder)).set_index("trial_id")


def test_a_winner_that_was_stopped_is_measured_once_and_no_other_trial(stopped: Path) -> None:
    before = board_of(stopped)
    assert before.at["0003", "best"] == "best colours"
    assert before.loc[["0003", "0004"], list(TEST_COLUMNS)].isna().all(axis=None)
    rows = (stopped / "trials.jsonl").read_bytes()
    assert measure_winners(RunFolder(stopped)) == ["0003"]
    assert measure_winners(RunFolder(stopped)) == []
    assert (stopped / "trials.jsonl").read_bytes() == rows
    after = board_of(stopped)
    # It has the generator of trial 0000, which the training measured in another memory format; of
    # few photos many resamples are equal, and the ends of an interval turn on their last digits.
    for name in TEST_COLUMNS:
        digits = 1e-2 if name.endswith(("_low", "_high")) else 1e-5
        expected = pytest.approx(after.at["0000", name], rel=digits, abs=1e-6)
        assert after.at["0003", name] == expected, name
    assert after.at["0003", TEST_GUARDS] == after.at["0000", TEST_GUARDS]
    assert not (stopped / "trials/0004/test.json").exists()
    # Nothing else of the leaderboard has changed.
    assert list(after.columns) == list(before.columns)
    others = [name for name in before if not name.startswith("test_")]
    pd.testing.assert_frame_equal(after[others], before[others])
    pd.testing.assert_frame_equal(after.drop("0003"), before.drop("0003"))


def test_leaderboard_and_bundle_say_what_was_measured(
    stopped: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    measure_winners(RunFolder(stopped))
    found = read_json(stopped / "trials/0003/test.json")
    run = open_run(stopped)
    board = build_leaderboard(run)
    words = describe_on_test_photos(run, board, winners(board, run.objective))
    assert words is not None
    assert "trial 0003 set_swd " in words
    assert main(["leaderboard", str(stopped)]) == 0
    assert "trial 0003 set_swd " in " ".join(capfd.readouterr().out.split())
    assert main(["export", str(stopped), "--out", str(tmp_path / "bundle")]) == 0
    bundle = load_bundle(tmp_path / "bundle").config
    assert bundle["trial_id"] == "0003"
    assert bundle["test_metrics"]["set_swd"] == [
        found[f"test_set_swd{end}"] for end in ("", "_low", "_high")
    ]


def test_where_all_were_stopped_the_columns_are_those_of_the_winner(stopped: Path) -> None:
    rows = [row for row in read_rows(stopped / "trials.jsonl") if row["state"] != "complete"]
    (stopped / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.rmtree(stopped / "trials/0000")
    assert not [name for name in board_of(stopped) if name.startswith("test_")]
    assert "0003" in measure_winners(RunFolder(stopped))
    board = board_of(stopped)
    assert board.at["0003", "test_set_swd_low"] <= board.at["0003", "test_set_swd_high"]
    assert board.at["0003", TEST_GUARDS] in ("holds", "breaks", "unclear")
    assert list(board["best"].notna()) == list(board["test_set_swd"].notna())


@pytest.mark.parametrize("damage", ["no test photos", "no photos", "no generator", "no figures"])
def test_a_winner_that_cannot_be_measured_stays_without(stopped: Path, damage: str) -> None:
    data: dict[str, Any] = read_json(stopped / "data.json")
    if damage == "no test photos":
        write_json(stopped / "data.json", {**data, "test": 0, "tested": []})
    elif damage == "no photos":
        write_json(stopped / "data.json", {**data, "cache": {}})
    elif damage == "no generator":
        (stopped / "trials/0003/best.pt").write_bytes(b"damaged")
    else:
        (stopped / "trials/0003/test.json").write_text('{"test_set_swd": "x", "test_l1": [')
        assert board_of(stopped).at["0003", "best"] == "best colours"
        assert measure_winners(RunFolder(stopped)) == ["0003"]
        return
    assert measure_winners(RunFolder(stopped)) == []
    assert board_of(stopped).at["0003", "best"] == "best colours"
