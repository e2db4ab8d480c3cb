"""What the winners are worth on the test photos, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.leaderboard.winners import Winners
from analysis.stored_run.run import Run
from models.metrics.unseen import CONFIDENCE, describe_figures, from_columns


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
