"""Every machine format gives back the very same frame, and the table fits a terminal."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len

from analysis.leaderboard.export_formats import Format, read_leaderboard, write_leaderboard
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.terminal_table import leaderboard_table, leaderboard_text
from analysis.stored_run.columns import LEADERBOARD_COLUMNS, TEXT_COLUMNS
from analysis.stored_run.run import open_run
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run

HOSTILE = 'a | b \\ `c` <script>alert(1)</script> [bold]x[/bold] "quoted", 色 &amp; null\nnext'


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = fabricate_run(
        tmp_path_factory.mktemp("runs") / "first",
        Plan(n_trials=30, pictures=False, n_windows=40, failed=0.2),
    )
    lines = (folder / "trials.jsonl").read_text().splitlines()
    row = json.loads(lines[0]) | {
        "state": "failed",
        "reason": HOSTILE,
        "optimizer": "adam",
        "ema": True,
        "beta": 0.1 + 0.2,
        "configuration_id": "12e45",
        "repeat_of": "0007",
    }
    lines.append(json.dumps(row))
    (folder / "trials.jsonl").write_text("\n".join(lines) + "\n")
    return build_leaderboard(open_run(folder))


@pytest.mark.parametrize("format_", ["csv", "json", "parquet", "markdown"])
def test_formats_round_trip_exactly(board: pd.DataFrame, format_: Format) -> None:
    back = read_leaderboard(write_leaderboard(board, format_), format_)
    pd.testing.assert_frame_equal(back, board, check_exact=True)


def test_pandas_alone_reads_the_same_values(board: pd.DataFrame) -> None:
    text = dict.fromkeys(TEXT_COLUMNS, str)
    csv = pd.read_csv(io.BytesIO(write_leaderboard(board, "csv")), dtype=text)
    from_json = pd.read_json(
        io.BytesIO(write_leaderboard(board, "json")), dtype=text, precise_float=True
    )
    parquet = pd.read_parquet(io.BytesIO(write_leaderboard(board, "parquet")))
    columns = list(LEADERBOARD_COLUMNS)
    for frame in (csv, from_json, parquet):
        pd.testing.assert_frame_equal(frame[columns], board[columns], check_exact=True)


def test_json_is_one_object_a_trial_with_the_contract_first(board: pd.DataFrame) -> None:
    records = json.loads(write_leaderboard(board, "json"))
    assert len(records) == len(board)
    assert list(records[0])[: len(LEADERBOARD_COLUMNS)] == list(LEADERBOARD_COLUMNS)
    assert isinstance(records[0]["steps"], int)
    failed = next(record for record in records if record["state"] == "failed")
    assert failed["ab_swd"] is None


def test_an_empty_leaderboard_round_trips(tmp_path: Path) -> None:
    board = build_leaderboard(
        open_run(fabricate_run(tmp_path / "none", Plan(n_trials=0, running=0)))
    )
    assert json.loads(write_leaderboard(board, "json")) == []
    assert list(read_leaderboard(write_leaderboard(board, "csv"), "csv").columns) == list(
        board.columns
    )
    assert "why" in leaderboard_text(board)


def test_an_unknown_format_names_the_known_ones(board: pd.DataFrame) -> None:
    with pytest.raises(RunFolderError, match="csv, json, parquet, markdown, but got 'xml'"):
        write_leaderboard(board, "xml")  # type: ignore[arg-type]


def test_the_table_fits_100_columns_whatever_a_trial_holds(board: pd.DataFrame) -> None:
    extreme = board.assign(
        generator_complexity=1024,
        parameter_ratio=123456.789,
        adversarial_drift=-1234567.8,
        seconds=9e8,
        ab_swd=1.23456e-9,
        grey_skill=-123.456,
        epochs=12345678.0,
    )
    for frame in (board, extreme):
        lines = leaderboard_text(frame).splitlines()
        assert len(lines) == len(board) + 1
        assert max(cell_len(line) for line in lines) <= 100
    assert "a | b" in leaderboard_text(board)


def test_the_table_shows_what_the_guards_cost_where_they_cost_anything(board: pd.DataFrame) -> None:
    free = board.assign(penalized_objective=board["ab_swd"])
    assert "penal." not in leaderboard_text(free).splitlines()[0]
    dear = free.assign(penalized_objective=free["ab_swd"] + 1)
    header, *lines = leaderboard_text(dear).splitlines()
    end = header.index("penal.") + len("penal.")
    shown = [line[end - 6 : end].strip() for line in lines]
    values = dear["penalized_objective"].tolist()
    assert shown == ["-" if value != value else f"{value:.4g}" for value in values]
    assert max(cell_len(line) for line in lines) <= 100


def test_colours_change_nothing_but_the_colours(board: pd.DataFrame) -> None:
    coloured = leaderboard_text(board, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == leaderboard_text(board)
    assert leaderboard_table(board).plain == leaderboard_text(board).rstrip("\n")


def test_held_out_discrimination_is_a_column_where_it_was_measured(board: pd.DataFrame) -> None:
    before = board.drop(columns="discriminator_auc")
    assert "AUC" not in leaderboard_text(before).splitlines()[0]
    assert board["discriminator_auc"].notna().any()
    measured = board.assign(discriminator_auc=0.5)
    measured.loc[1, "discriminator_auc"] = float("nan")
    lines = leaderboard_text(measured).splitlines()[:3]
    end = lines[0].index("AUC") + 3
    assert [line[end - 4 : end] for line in lines] == [" AUC", "0.50", "   -"]
    content = write_leaderboard(measured, "csv")
    pd.testing.assert_frame_equal(read_leaderboard(content, "csv"), measured)
