"""How good bundles colour photos that they were not trained on.

    python -m benchmarks.quality --images DIR BUNDLE... [--json FILE]

`--images` are the photos that the bundles were trained from. A tenth of them is held out; the first
128 of these choose a training's best epoch and a search's winner, so the others are measured apart
from them. Each bundle is measured at its own image size and fit; all grey stands above it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import split_by_content
from models.bundle.store import load_bundle
from models.metrics.validation import grey_baseline, validate

CHOOSING = 128
PARTS = {
    "all held-out photos": slice(None),
    "those that choose the best epoch": slice(CHOOSING),
    "the others, which chose nothing": slice(CHOOSING, None),
}
METRICS = (
    "grey_skill",
    "ab_swd",
    "frechet_ab",
    "colorfulness_gap",
    "ab_hf_ratio",
    "chroma_log_ratio",
    "delta_e",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--images", required=True)
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: dict[str, dict[str, dict[str, Any]]] = {part: {} for part in PARTS}
    for folder in options.bundles:
        bundle = load_bundle(folder)
        cache = build_cache(
            open_source(options.images), image_size=bundle.image_size, fit=bundle.fit
        )
        grey = f"all grey, {bundle.image_size} px, {bundle.fit}"
        for part, photos in PARTS.items():
            if grey not in rows[part]:
                rows[part][grey] = grey_baseline(held_out(cache, photos))
            rows[part][folder.name] = validate(
                bundle.generator, held_out(cache, photos), device=torch.device("cpu")
            )
    width = max(len(label) for part in rows.values() for label in part) + 2
    for part, measured in rows.items():
        print(part)
        print(" " * width + "".join(f"{name:>18}" for name in METRICS))
        for label, metrics in measured.items():
            print(label.ljust(width) + "".join(f"{metrics[name]:>18.3f}" for name in METRICS))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def held_out(cache: PhotoCache, photos: slice) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of some of the photos that are not trained on."""
    indices = split_by_content(cache.hashes).validation[photos]
    for start in range(0, len(indices), 32):
        yield load_batch(cache, indices[start : start + 32])


if __name__ == "__main__":
    main()
