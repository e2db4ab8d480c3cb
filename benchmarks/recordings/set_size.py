"""How few photos do the objectives need? Kept outputs measured on random parts of the choose set.

    python -m benchmarks.recordings.set_size ROWS.jsonl.gz --images DIR --store DIR [--draws 4]

Prints, for each size of the set, the Spearman correlation with the judge on the test photos (mean
over draws, each the same photos for all generators) and the bias: the mean over generators of the
value on a part over the value on all choose photos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.recordings.agreement import FloatArray, spearman
from benchmarks.recordings.candidates import candidates
from benchmarks.recordings.objective import KINDS, last_epochs
from benchmarks.recordings.partition import PhotoSets, from_codes
from benchmarks.recordings.rows import Row, read_rows
from benchmarks.recordings.set_swd import VARIANTS, pixel_vectors, sliced_wasserstein
from models.metrics.accumulate import ValidationMetrics

SIZES = (16, 32, 64, 128)
NAMES = (
    "ab_swd",
    "frechet_ab",
    "set_swd_detail",
    "set_swd_detail + 0.1 grey + 2 speckle",
    "set_swd_detail + 0.15 delta_e + speckle",
    "set_swd_detail + 0.25 delta_e + speckle",
)


def values(L_N1HW: Tensor, real_N2HW: Tensor, fake_N2HW: Tensor) -> list[float]:
    """Every objective of `NAMES` on these photos."""
    metrics = ValidationMetrics()
    metrics.update(L_N1HW, real_N2HW, fake_N2HW)
    real, fake = pixel_vectors(L_N1HW, real_N2HW), pixel_vectors(L_N1HW, fake_N2HW)
    distance = sliced_wasserstein(real, fake, VARIANTS["set_swd_detail"])
    measures = metrics.compute() | {"set_swd_detail": distance}
    return [candidates()[name](measures) for name in NAMES]


def measure(rows: list[Row], photos: PhotoSets, store: Path, n_draws: int) -> dict[str, FloatArray]:
    """Values (generators, draws, objectives) on parts of each size, and on all photos."""
    names = ("choose_a", "choose_b")
    L_N1HW, real_N2HW = (torch.cat(parts) for parts in zip(*map(photos.load, names), strict=True))
    random = np.random.default_rng(0)
    draws = {
        str(size): [
            torch.from_numpy(random.permutation(len(L_N1HW))[:size]) for _ in range(n_draws)
        ]
        for size in SIZES
    }
    draws["all"] = [torch.arange(len(L_N1HW))]
    found: dict[str, list[list[list[float]]]] = {name: [] for name in draws}
    for row in rows:
        with np.load(store / "outputs" / f"{row['key']}-{row['epoch']}.npz") as kept:
            fake_N2HW = torch.cat([from_codes(kept[name]) for name in names])
        for name, parts in draws.items():
            found[name].append(
                [values(L_N1HW[part], real_N2HW[part], fake_N2HW[part]) for part in parts]
            )
    return {name: np.array(each) for name, each in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = last_epochs(read_rows(options.rows), image_size=options.image_size, kinds=KINDS)
    rows = [row for row in rows if "kid_224" in row["judge"]]
    judged = np.array([row["judge"]["kid_224"][-1] for row in rows])
    photos = PhotoSets.open(options.images, image_size=options.image_size)
    found = measure(rows, photos, options.store, options.draws)
    print("| objective | " + " | ".join(f"{size} photos" for size in found) + " |")
    print("|---" * (len(found) + 1) + "|")
    for i, name in enumerate(NAMES):
        cells = []
        for each in found.values():
            agreed = np.mean([spearman(each[:, d, i], judged) for d in range(each.shape[1])])
            bias = (each[:, :, i].mean(axis=1) / found["all"][:, 0, i]).mean() - 1.0
            cells.append(f"{agreed:.2f} ({100.0 * bias:+.0f} %)")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
