"""Join recorded rows with what was measured on their outputs later, in one compact file.

python -m benchmarks.recordings.pack ROWS... [--extra NEW.jsonl ...] --out ROWS.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.recordings.remeasure import extra_key
from benchmarks.recordings.rows import Row, read_rows


def merge(rows: Sequence[Row], extra: Sequence[Row]) -> list[Row]:
    """Rows with what was measured later put over what they hold."""
    later: dict[tuple[str, int], list[Row]] = {}
    for row in extra:
        later.setdefault(extra_key(row), []).append(row)
    merged = []
    for row in rows:
        groups = {name: dict(row[name]) for name in ("candidates", "judge") if name in row}
        for new in later.get(extra_key(row), []):
            for name in ("candidates", "judge"):
                if name in new:
                    groups[name] = groups.get(name, {}) | new[name]
        merged.append(row | groups)
    return merged


def write_packed(path: Path, rows: Sequence[Row]) -> None:
    """Write rows; the same rows make the same bytes."""
    lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--extra", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    extra = [json.loads(line) for path in options.extra for line in path.read_text().splitlines()]
    write_packed(options.out, merge(read_rows(options.rows), extra))


if __name__ == "__main__":
    main()
