"""Recorded rows: one JSON object an epoch, appended and synced a whole training at a time.

A row says everything about itself: `key` names the recorded piece (a training, or a stage of
training on reconstruction alone), `settings` are all of its settings, `last` closes it. Of a piece
without its last row nothing counts; `open_rows` cuts it off.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SIGNIFICANT_DIGITS = 5


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Append rows in one write and wait until they are on the disk."""
    text = "".join(
        json.dumps(compact(row), separators=(",", ":"), allow_nan=False) + "\n" for row in rows
    )
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def compact(value: Any) -> Any:
    """Round floats to 5 significant digits; NaN and infinity become null."""
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: compact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [compact(item) for item in value]
    return value


def read_rows(paths: Sequence[Path]) -> list[Row]:
    """Rows of whole pieces, each once, in the order of the files (`.jsonl` or `.jsonl.gz`)."""
    pieces: dict[str, list[Row]] = {}
    for path in paths:
        for piece in _pieces(path):
            pieces.setdefault(piece[0]["key"], piece)
    return [row for piece in pieces.values() for row in piece]


def open_rows(path: Path) -> list[Row]:
    """Last rows of the whole pieces in `path`; what a kill left half-written is cut off."""
    if not path.exists():
        return []
    pieces = _pieces(path)
    lines = path.read_bytes().split(b"\n")
    n_whole = sum(len(piece) for piece in pieces)
    if lines[n_whole:] != [b""]:
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            file.write(b"".join(line + b"\n" for line in lines[:n_whole]))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    return [piece[-1] for piece in pieces]


def _pieces(path: Path) -> list[list[Row]]:
    """The leading whole pieces of a file."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    pieces: list[list[Row]] = []
    piece: list[Row] = []
    for line in data.split(b"\n")[:-1]:
        piece.append(json.loads(line))
        if piece[-1]["last"]:
            pieces.append(piece)
            piece = []
    return pieces
