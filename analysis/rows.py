"""Append-only JSON rows: one object a line, the last line may be half-written."""

from __future__ import annotations

import json
from typing import Any


def _no_constant(name: str) -> None:
    """NaN and infinity are never written; one that is there counts as missing."""


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def read_rows(content: bytes | None) -> tuple[list[dict[str, Any]], int]:
    """Decode the rows of a file that may still be growing.

    Returns:
        The objects in their order, and how many whole lines could not be read. A last line without
        its line end is still being written and is not counted.
    """
    if not content:
        return [], 0
    rows: list[dict[str, Any]] = []
    broken = 0
    lines = content.decode("utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            row = _decode(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(row)
        elif number < len(lines) - 1:
            broken += 1
    return rows, broken
