"""Measure kept outputs again: new candidates, or the judge at its full size, without training.

    python -m benchmarks.recordings.remeasure ROWS... --images DIR --store DIR --out NEW.jsonl

For each row that lacks a candidate (with `--judge`: for each), NEW.jsonl gets {"key", "epoch",
"candidates"[, "judge"]} once, if its outputs are still kept; run it again to add what has been
recorded since. `pack` joins both.
Outputs are kept as bytes, so a and b differ by up to half a unit from what the recorder measured.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from benchmarks.recordings.evaluation import Evaluation
from benchmarks.recordings.judge import FULL_SIDE, FeatureNetwork
from benchmarks.recordings.partition import HELD_OUT, PhotoSets, from_codes
from benchmarks.recordings.rows import Row, append_rows, read_rows
from benchmarks.recordings.set_swd import VARIANTS


def extra_key(row: Row) -> tuple[str, int]:
    """Which epoch of which piece a row is about."""
    return row["key"], row.get("epoch", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--judge", action="store_true", help="on test photos, at --side")
    parser.add_argument("--side", type=int, default=FULL_SIDE, help="pixels a side for the judge")
    parser.add_argument("--last", action="store_true", help="only last epochs of pieces")
    options = parser.parse_args()
    torch.set_num_threads(1)
    photos = PhotoSets.open(options.images, image_size=options.image_size)
    evaluation = Evaluation(photos, FeatureNetwork(side=options.side))
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {extra_key(json.loads(line)) for line in lines}
    for row in read_rows(options.rows):
        path = options.store / "outputs" / "{}-{}.npz".format(*extra_key(row))
        wanted = row["settings"]["image_size"] == options.image_size and path.exists()
        if not wanted or extra_key(row) in done or (options.last and not row["last"]):
            continue
        if not options.judge and set(VARIANTS) <= set(row["candidates"]):
            continue
        with np.load(path) as kept:
            fakes = {name: from_codes(kept[name]) for name in HELD_OUT}
        new = {"key": row["key"], "epoch": row["epoch"]}
        new["candidates"] = evaluation.candidates(fakes)
        if options.judge:
            judged = evaluation.judge({"test": fakes["test"]})
            new["judge"] = {f"{name}_{options.side}": values for name, values in judged.items()}
        append_rows(options.out, [new])


if __name__ == "__main__":
    main()
