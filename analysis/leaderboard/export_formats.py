"""The leaderboard as a table for people, and as CSV, JSON, Parquet and Markdown for programs.

The last four keep every column and every digit, and `read_leaderboard` returns the very frame.
With pandas alone, read `trial_id` and the other columns of `TEXT_COLUMNS` as text ("0007" is no
number): `read_csv(..., dtype=...)`, and `read_json(..., dtype=..., precise_float=True)`.
"""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any, Literal, get_args

import pandas as pd

from analysis.stored_run.column_types import typed_column
from analysis.stored_run.columns import INTEGER_COLUMNS
from analysis.stored_run.run_folder_error import RunFolderError

Format = Literal["csv", "json", "parquet", "markdown"]


def write_leaderboard(board: pd.DataFrame, format_: Format) -> bytes:
    """Encode a leaderboard; text formats are UTF-8.

    JSON is an array with one object a trial, one a line; what is missing is null.
    """
    match format_:
        case "csv":
            return _as_csv(board).encode()
        case "json":
            rows = ",\n".join(json.dumps(record, ensure_ascii=False) for record in _records(board))
            return f"[\n{rows}\n]\n".encode() if rows else b"[]\n"
        case "parquet":
            buffer = io.BytesIO()
            board.to_parquet(buffer, index=False)
            return buffer.getvalue()
        case "markdown":
            return _as_markdown(board).encode()
    raise RunFolderError(
        f"the format must be one of table, {', '.join(get_args(Format))}, but got {format_!r}"
    )


def read_leaderboard(content: bytes, format_: Format) -> pd.DataFrame:
    """Decode what `write_leaderboard` encoded: the same columns, types and values."""
    match format_:
        case "csv":
            table = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
        case "json":
            table = pd.DataFrame(json.loads(content), dtype=object)
        case "parquet":
            return pd.read_parquet(io.BytesIO(content))
        case "markdown":
            header, _, *lines = content.decode().splitlines()
            cells = [_cells(line) for line in lines]
            table = pd.DataFrame(cells, columns=_cells(header), dtype=str)
    return pd.DataFrame({name: typed_column(name, table[name].tolist()) for name in table.columns})


def _records(board: pd.DataFrame) -> list[dict[str, Any]]:
    """Plain Python values: None for missing, int for whole numbers in columns of whole numbers."""
    columns = {name: _plain(board[name], name) for name in board.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(values: pd.Series[Any], name: str) -> list[Any]:
    whole = name in INTEGER_COLUMNS
    return [
        None
        if value is None or value is pd.NA or value != value
        else int(value)
        if whole and isinstance(value, float) and value.is_integer()
        else value
        for value in values.tolist()
    ]


def _as_csv(board: pd.DataFrame) -> str:
    # Through the records, so that whole numbers stay whole beside a missing one.
    frame = pd.DataFrame(
        {name: pd.Series(_plain(board[name], name), dtype=object) for name in board.columns}
    )
    return frame.to_csv(index=False, lineterminator="\n")


def _as_markdown(board: pd.DataFrame) -> str:
    right = [name for name in board.columns if pd.api.types.is_numeric_dtype(board[name])]
    lines = [
        _line(list(board.columns)),
        _line(["---:" if name in right else "---" for name in board.columns]),
    ]
    columns = [_plain(board[name], name) for name in board.columns]
    for row in zip(*columns, strict=True):
        lines.append(_line(["" if value is None else _escaped(value) for value in row]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(value: object) -> str:
    text = html.escape(str(value), quote=False)
    return re.sub(r"[|\\`*_\[\]~]", lambda match: f"&#{ord(match[0])};", text)


def _cells(line: str) -> list[str]:
    return [html.unescape(cell.strip()) for cell in line.strip()[1:-1].split("|")]
