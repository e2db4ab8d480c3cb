"""Opening run folders: whole, growing, damaged and none at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.stored_run.run import open_run
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = Plan(n_trials=6, pictures=False, n_windows=20, running=1, failed=0, pruned=0)
    return fabricate_run(tmp_path / "runs" / "first", plan)


def test_a_run_opens_by_path_text_and_uri(folder: Path) -> None:
    for path in (folder, str(folder), folder.as_uri()):
        run = open_run(path)
        assert run.name == "first"
        assert run.status == "finished"
        assert run.objective == "ab_swd"
        assert run.trials["trial_id"].tolist() == [f"{i:04d}" for i in range(6)]
        assert run.trials["state"].tolist() == ["complete"] * 5 + ["running"]
        assert run.trials["generator_complexity"].dtype == "int64"
        assert len(run.curves("0000")) == 20
        assert run.picture("0000", "samples.png") is None


def test_the_last_row_of_a_trial_counts(folder: Path) -> None:
    row = {"trial_id": "0000", "state": "failed", "reason": "out of\nmemory"}
    with (folder / "trials.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    trial = open_run(folder).trials.iloc[0]
    assert (trial["trial_id"], trial["state"], trial["reason"]) == (
        "0000",
        "failed",
        "out of memory",
    )


def test_a_half_written_last_row_is_not_there_yet(folder: Path) -> None:
    before = open_run(folder)
    with (folder / "trials.jsonl").open("a") as file:
        file.write('{"trial_id": "0005", "state": "comp')
    after = open_run(folder)
    assert after.trials.equals(before.trials)
    assert after.broken_rows == 0


@pytest.mark.parametrize(
    "line",
    [
        '{"trial_id": "0042", "state": "comp',
        "[]",
        "\x00\xff",
        '{"trial_id": "../../etc", "state": "complete"}',
        '{"trial_id": "0042", "state": "exploded"}',
        "[" * 100_000,
    ],
)
def test_a_broken_row_in_the_middle_is_counted(folder: Path, line: str) -> None:
    path = folder / "trials.jsonl"
    path.write_text(line + "\n" + path.read_text())
    run = open_run(folder)
    assert len(run.trials) == 6
    assert run.broken_rows == 1


def test_a_broken_last_row_of_a_trial_leaves_the_one_before(folder: Path) -> None:
    path = folder / "trials.jsonl"
    path.write_text(path.read_text() + '{"trial_id": "0005", "state": "com\n')
    run = open_run(folder)
    assert run.trials["state"].tolist() == ["complete"] * 5 + ["running"]
    assert run.broken_rows == 1


def test_rows_may_come_with_their_keys_in_any_order(folder: Path) -> None:
    path = folder / "trials.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    before = open_run(folder).trials
    path.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    after = open_run(folder).trials
    assert after[before.columns].equals(before)


def test_a_run_without_trials_opens(folder: Path) -> None:
    (folder / "trials.jsonl").unlink()
    (folder / "data.json").unlink()
    run = open_run(folder)
    assert len(run.trials) == 0
    assert run.data == {}


def test_an_unfinished_trial_has_no_trend(folder: Path) -> None:
    row = {"trial_id": "0009", "state": "pruned", "adversarial_trend": "stagnant"}
    with (folder / "trials.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    assert open_run(folder).trials["adversarial_trend"].iloc[-1] == "unclear"


def test_what_is_no_run_is_named_in_one_line(folder: Path, tmp_path: Path) -> None:
    cases = {
        tmp_path / "missing": "is missing",
        folder / "run.json": "is a file",
        folder / "trials": "has none; give a folder that",
        folder.parent: f"did you mean {folder}",
    }
    for path, words in cases.items():
        with pytest.raises(RunFolderError, match=words) as error:
            open_run(path)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"format": 2}', "upgrade chromatune"),
        ('{"format": "1"}', "must be a whole number"),
        ('{"name": "x"}', "must be a whole number"),
        ("{", "must be JSON"),
        ("[1]", "must hold a JSON object"),
    ],
)
def test_a_damaged_or_newer_header_is_refused(folder: Path, content: str, words: str) -> None:
    (folder / "run.json").write_text(content)
    with pytest.raises(RunFolderError, match=words) as error:
        open_run(folder)
    assert "\n" not in str(error.value)


def test_unreachable_storage_is_one_line() -> None:
    with pytest.raises(RunFolderError, match="URI that Arrow can open"):
        open_run("nowhere://bucket/run")
