"""The leaderboard as a table for a terminal of 100 columns."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from analysis.leaderboard.winners import BEST_BALANCE, BEST_COLOURS, Winners
from analysis.stored_run.columns import PENALIZED

WIDTH = 100

#: title, width and alignment of all columns before the reason, which takes the rest
_COLUMNS = (
    ("#", 4, ">"),
    ("", 2, "<"),
    ("trial", 5, ">"),
    ("G", 3, ">"),
    ("D", 3, ">"),
    ("D/G", 6, ">"),
    ("drift %", 7, ">"),
    ("trend", 11, "<"),
    ("objective", 8, ">"),
    ("skill", 6, ">"),
    ("min", 5, ">"),
)
_TREND_AT = sum(width + 1 for _, width, _ in _COLUMNS[:7])
_TREND_WIDTH = 11
#: beside the trend, in runs that measured it
_AUC = ("AUC", 4, ">")
#: beside the objective, where the cost of guards makes a difference: what the best colours are of
_PENALIZED = ("penal.", 6, ">")
#: how the winners are marked beside their rank
_MARKS = {BEST_BALANCE: "B", BEST_COLOURS: "C"}
#: ECMA-48 codes, the colours told apart by people with any common colour-vision deficiency
_PLAIN, _BOLD, _DIM = "\x1b[0m", "\x1b[1m", "\x1b[2m"
_TREND_STYLES = {"stagnant": "\x1b[1;36m", "rising": "\x1b[33m", "falling": "\x1b[33m"}


def leaderboard_text(
    board: pd.DataFrame, *, objective: str = "ab_swd", colour: bool = False
) -> str:
    """Lay out a leaderboard as text, no line wider than 100 cells, reasons included.

    `colour` adds the terminal's own codes. Formatted by hand: rich takes 18 s to lay out 10,000
    rows as a table and more than a second to print them as text.
    """
    has_auc = "discriminator_auc" in board and board["discriminator_auc"].notna().any()
    shows_penalized = has_penalties(board, objective)
    layout = (
        *_COLUMNS[:8],
        *([_AUC] if has_auc else []),
        _COLUMNS[8],
        *([_PENALIZED] if shows_penalized else []),
        *_COLUMNS[9:],
    )
    titles = [objective if name == "objective" else name for name, _, _ in layout]
    title = _line([*titles, "why"], layout)
    lines = [f"{_BOLD}{title}{_PLAIN}" if colour else title]
    sizes = ("generator_complexity", "discriminator_complexity", "parameter_ratio")
    balance = ("adversarial_drift", "adversarial_trend", "state")
    names = (
        "rank",
        "best",
        "trial_id",
        *sizes,
        *balance,
        objective,
        "grey_skill",
        "seconds",
        "why",
    )
    columns = [board[name].tolist() for name in names]
    aucs = board["discriminator_auc"].tolist() if has_auc else [math.nan] * len(board)
    penalties = board[PENALIZED].tolist() if shows_penalized else [math.nan] * len(board)
    for (
        (rank, best, trial, g, d, ratio, drift, trend, state, value, skill, seconds, why),
        auc,
        penalized,
    ) in zip(zip(*columns, strict=True), aucs, penalties, strict=True):
        cells = [
            str(rank),
            "".join(letter for mark, letter in _MARKS.items() if mark in _text(best)),
            trial,
            _number(g, ".0f"),
            _number(d, ".0f"),
            _number(ratio, ".3g"),
            _number(drift, "+.1f"),
            trend if state == "complete" else state,
            *([_number(auc, ".2f")] if has_auc else []),
            _number(value, ".4g"),
            *([_number(penalized, ".4g")] if shows_penalized else []),
            _number(skill, "+.3f"),
            _number(seconds / 60, ".1f"),
            why,
        ]
        line = _line(cells, layout)
        lines.append(_coloured(line) if colour else line)
    return "\n".join(lines) + "\n"


def leaderboard_table(board: pd.DataFrame, *, objective: str = "ab_swd") -> Text:
    """The same table for a rich console, with its trends coloured."""
    lines = leaderboard_text(board, objective=objective, colour=True).rstrip("\n")
    text = Text.from_ansi(lines)
    text.no_wrap, text.overflow = True, "crop"
    return text


def has_penalties(board: pd.DataFrame, objective: str) -> bool:
    """Whether the guards cost some trial so much that the table shows it."""
    if PENALIZED not in board:
        return False
    pairs = zip(board[objective].tolist(), board[PENALIZED].tolist(), strict=True)
    return any(
        not math.isnan(penalized) and _number(value, ".4g") != _number(penalized, ".4g")
        for value, penalized in pairs
    )


def winners_text(chosen: Winners, on_test_photos: str | None = None) -> str:
    """What the marks of the table mean and why the winners differ, in lines of 100 cells.

    `on_test_photos`: what `on_test_photos.describe_on_test_photos` says of them.
    """
    marks = ", ".join(f"{letter} {mark}" for mark, letter in _MARKS.items())
    parts = [f"{marks}. {chosen.why}" if chosen.best_balance else chosen.why]
    parts += [on_test_photos] if on_test_photos else []
    console = Console(width=WIDTH)
    lines = [line for part in parts for line in Text(part).wrap(console, WIDTH)]
    return "".join(f"{line.plain.rstrip()}\n" for line in lines)


def _coloured(line: str) -> str:
    trend = line[_TREND_AT : _TREND_AT + _TREND_WIDTH]
    style = _TREND_STYLES.get(trend.strip(), _DIM)
    return f"{line[:_TREND_AT]}{style}{trend}{_PLAIN}{line[_TREND_AT + _TREND_WIDTH :]}"


def _line(cells: list[str], layout: tuple[tuple[str, int, str], ...]) -> str:
    *cells, why = cells
    parts = [
        _fitted(cell, width, side) for cell, (_, width, side) in zip(cells, layout, strict=True)
    ]
    rest = WIDTH - sum(width + 1 for _, width, _ in layout)
    return " ".join([*parts, _cut(why, rest)]).rstrip()


def _fitted(cell: str, width: int, side: str) -> str:
    return format(_cut(cell, width), f"{side}{width}")


def _cut(text: str, width: int) -> str:
    if text.isascii() and len(text) <= width:
        return text
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any, spec: str) -> str:
    if math.isnan(value):
        return "-"
    return format(value, spec if abs(value) < 1e4 else "+.0e" if "+" in spec else ".0e")
