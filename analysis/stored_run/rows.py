"""JSON rows, one object a line; what a kill or a power cut left of the last ones is no row."""

from __future__ import annotations

import json
from typing import Any


def _no_constant(name: str) -> None:
    """NaN and infinity are never written; one that is there counts as missing."""


_decode_from = json.JSONDecoder(parse_constant=_no_constant).raw_decode


def whole_lines(content: bytes | None) -> list[str]:
    """Lines of a file that may still be growing, without blank ones.

    A last line without its line end is still being written: it is there only if it is a whole row.
    """
    if not content:
        return []
    *lines, last = content.decode("utf-8", errors="replace").split("\n")
    if decode_row(last) is not None:
        lines.append(last)
    return [line for line in lines if line and not line.isspace()]


def decode_row(line: str) -> dict[str, Any] | None:
    """Decode one row; None where the line is no JSON object."""
    try:
        row, end = _decode_from(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and not line[end:].strip() else None


def read_rows(content: bytes | None) -> list[dict[str, Any]]:
    """Decode the rows of a file that may still be growing; lines that are no row are skipped."""
    rows = (decode_row(line) for line in whole_lines(content))
    return [row for row in rows if row is not None]
