"""The report of a run: one HTML file that opens offline."""

from __future__ import annotations

import html
from pathlib import Path

from analysis.leaderboard import build_leaderboard
from analysis.leaderboard_table import leaderboard_text
from analysis.run import Run


def write_report(run: Run, out: Path) -> Path:
    """Write the report of a run to `out` and return its path."""
    board = build_leaderboard(run)
    out.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{html.escape(run.name)}</title>"
        f"<pre>{html.escape(leaderboard_text(board, objective=run.objective))}</pre></html>",
        encoding="utf-8",
    )
    return out
