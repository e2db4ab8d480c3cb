"""What the winners are worth on the test photos: their columns, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from analysis.leaderboard.winners import Winners
from analysis.stored_run.column_types import typed_column
from analysis.stored_run.run import Run
from models.metrics.unseen import (
    CONFIDENCE,
    TEST_COLUMNS,
    TEST_GUARDS,
    columns_of_row,
    describe_figures,
    from_columns,
    to_columns,
)


def with_winners_tested(board: pd.DataFrame, run: Run, trial_ids: Iterable[str]) -> pd.DataFrame:
    """Add the columns of the test photos to the rows of winners that were stopped early.

    A trial that was stopped has none in its row; if it was a winner when the search ended, it was
    measured then, and its test.json has them. To look for that file is a request to remote storage
    or the disk for each trial, so that only winners are worth it.
    """
    if not run.data.get("test"):
        return board
    found: dict[str, dict[str, object]] = {}
    rows = board[board["trial_id"].isin(list(trial_ids))].to_dict("records")
    for row in rows:
        if not from_columns({str(name): value for name, value in row.items()}):
            figures = from_columns(run.on_test_photos(row["trial_id"]))
            found[row["trial_id"]] = columns_of_row(run.comparison.guards, to_columns(figures))
    found = {trial_id: columns for trial_id, columns in found.items() if columns}
    if not found:
        return board
    ids = board["trial_id"].tolist()
    absent = [None] * len(ids)
    columns = {}
    for name in (*TEST_COLUMNS, TEST_GUARDS):
        values = board[name].tolist() if name in board else absent
        pairs = zip(ids, values, strict=True)
        columns[name] = typed_column(
            name, [found.get(trial_id, {}).get(name, value) for trial_id, value in pairs]
        )
    others = board.drop(columns=[name for name in columns if name in board])
    return pd.concat([others, pd.DataFrame(columns, index=board.index)], axis="columns")


def describe_on_test_photos(run: Run, board: pd.DataFrame, chosen: Winners) -> str | None:
    """One line on the winners of a leaderboard; None where none was measured on test photos.

    The objective and the metrics of the guards, each with its interval, and whether the guards
    hold: a guard whose bound lies in the interval is unclear.
    """
    rows = {row["trial_id"]: row for row in board.to_dict("records")}
    words = [
        f"trial {trial_id} {', '.join(figures)}"
        for trial_id in chosen.labels
        if (figures := trial_figures(run, rows[trial_id]))
    ]
    if not words:
        return None
    count = run.data.get("test")
    photos = f"{count:,} photos" if isinstance(count, int) else "photos"
    return f"On {photos} that chose nothing ({CONFIDENCE:.0%} intervals): {'; '.join(words)}."


def trial_figures(run: Run, row: Mapping[Any, Any]) -> list[str]:
    """The objective and the metrics of the guards of one trial; empty without test photos."""
    return describe_figures(run.objective, run.comparison.guards, from_columns(row))
