"""The leaderboard of a search in progress, to be drawn again and again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Group
from rich.text import Text

from analysis.leaderboard.on_test_photos import describe_on_test_photos
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.ranking import REPORT_TARGET_RATIO, Weights
from analysis.leaderboard.terminal_table import leaderboard_table, winners_text
from analysis.leaderboard.winners import winners
from analysis.stored_run.columns import STATES
from analysis.stored_run.run import Run, open_run


def watch_view(
    path: Path | str,
    *,
    top: int = 20,
    sort: str | None = None,
    target_ratio: float = REPORT_TARGET_RATIO,
    weights: Weights | None = None,
) -> tuple[Group, bool]:
    """Read the run anew and lay out its present leaderboard.

    Returns:
        What to print (one line on the run, the first rows, the winners, the running trials), and
        whether the search is still going on.
    """
    run = open_run(path)
    board = build_leaderboard(run, sort=sort, target_ratio=target_ratio, weights=weights)
    ended, running = board[board["state"] != "running"], board[board["state"] == "running"]
    parts = [_headline(run, board), leaderboard_table(ended.head(top), objective=run.objective)]
    if len(ended) > top:
        parts.append(Text(f"… and {len(ended) - top} more", style="dim"))
    if len(ended):
        chosen = winners(board, run.objective)
        said = winners_text(chosen, describe_on_test_photos(run, board, chosen))
        parts.append(Text("\n" + said.rstrip("\n")))
    if len(running):
        parts += [Text(), Text("running", style="bold"), _running(running, run.objective)]
    return Group(*parts), run.status == "running"


def _headline(run: Run, board: pd.DataFrame) -> Text:
    counts = board["state"].value_counts()
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if state in counts)
    return Text.assemble((run.name, "bold"), f"  {run.status}  {states or 'no trial yet'}\n")


def _running(running: pd.DataFrame, objective: str) -> Text:
    lines = []
    for row in running.to_dict("records"):
        epochs = f"{row['epochs']:.1f}" if row["epochs"] == row["epochs"] else "0"
        limit = row.get("max_epochs")
        value = row[objective]
        best = f", best {objective} {value:.4g}" if value == value else ""
        whole = f" of {limit:.0f}" if limit is not None and limit == limit else ""
        lines.append(f"{row['trial_id']:>10}  epoch {epochs}{whole}{best}")
    return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
