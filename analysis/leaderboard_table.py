"""The leaderboard as a table for a terminal of 100 columns."""

from __future__ import annotations

import io
import math

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 100

_TREND_STYLE = {"stagnant": "bold cyan", "rising": "dark_orange", "falling": "dark_orange"}


def leaderboard_table(board: pd.DataFrame, *, objective: str = "ab_swd") -> Table:
    """Lay out a leaderboard as a rich table that fits 100 columns, reasons included."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", width=WIDTH)
    for title, width in (("#", 3), ("trial", 5), ("G", 3), ("D", 3), ("D/G", 5), ("drift %", 7)):
        table.add_column(title, justify="right", no_wrap=True, min_width=width)
    table.add_column("trend", no_wrap=True, min_width=8)
    for title, width in ((objective, 7), ("skill", 6), ("epochs", 6), ("min", 5)):
        table.add_column(title, justify="right", no_wrap=True, min_width=width, max_width=10)
    table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1, min_width=20)
    for row in board.to_dict("records"):
        trend = row["adversarial_trend"] if row["state"] == "complete" else row["state"]
        table.add_row(
            str(row["rank"]),
            Text(str(row["trial_id"])[-8:]),
            _number(row["generator_complexity"], ".0f"),
            _number(row["discriminator_complexity"], ".0f"),
            _number(row["parameter_ratio"], ".3g"),
            _number(row["adversarial_drift"], "+.1f"),
            Text(trend, style=_TREND_STYLE.get(trend, "dim")),
            _number(row[objective], ".4g"),
            _number(row["grey_skill"], "+.3f"),
            _number(row["epochs"], ".0f"),
            _number(row["seconds"] / 60, ".1f"),
            Text(str(row["why"])),
        )
    return table


def leaderboard_text(board: pd.DataFrame, *, objective: str = "ab_swd") -> str:
    """Render the table as plain text, no line longer than 100 columns."""
    buffer = io.StringIO()
    Console(file=buffer, width=WIDTH, color_system=None).print(
        leaderboard_table(board, objective=objective)
    )
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _number(value: float, spec: str) -> str:
    if math.isnan(value):
        return "–"
    return format(value, spec if abs(value) < 1e5 else "+.1e" if "+" in spec else ".1e")
