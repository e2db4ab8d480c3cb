"""How good are exported generators on photos that chose nothing?

    python -m benchmarks.exported BUNDLE... --images DIR [--image-size 64]
    python -m benchmarks.exported --without-test DIR --images DIR

The test photos are those of `benchmarks.recordings`: the second form fills a folder with all others
(hard links, else copies), on which searches may then train and choose. The judge is the kernel
distance of ImageNet features at 224 pixels (docs/objective.md), smaller is better; the metrics are
the program's own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
from pathlib import Path

import torch

from benchmarks.recordings.evaluation import SETS, Evaluation
from benchmarks.recordings.judge import FULL_SIDE, FeatureNetwork
from benchmarks.recordings.partition import PhotoSets, assign
from models.bundle.store import load_bundle

SHOWN = ("set_swd", "grey_skill", "colorfulness", "ab_hf_ratio", "frechet_ab", "ab_swd")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("bundles", type=Path, nargs="*")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--without-test", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.without_test:
        print(f"{fill(options.without_test, options.images)} photos in {options.without_test}")
        return
    torch.set_num_threads(1)
    photos = PhotoSets.open(options.images, image_size=options.image_size)
    evaluation = Evaluation(photos, FeatureNetwork(side=FULL_SIDE))
    test = SETS.index("test")
    print(f"| bundle | kid | paired | {' | '.join(SHOWN)} |\n{'|---' * (len(SHOWN) + 3)}|")
    for path in options.bundles:
        fakes = evaluation.colorize(load_bundle(path).generator)
        measured = evaluation.measure(fakes)
        judge = measured["judge"]
        figures = [judge["kid"][test], judge["feature_distance"][test]]
        figures += [measured["metrics"][name][test] for name in SHOWN]
        print(f"| {path.name} | {' | '.join(f'{figure:.3g}' for figure in figures)} |", flush=True)


def fill(folder: Path, images: Path) -> int:
    """Put all photos but those of the test set into a folder; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    files = sorted(path for path in images.rglob("*") if path.is_file())
    tested = set(
        assign([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])["test"].tolist()
    )
    for i, path in enumerate(files):
        link = folder / f"{i:05d}-{path.name}"
        if i not in tested and not link.exists():
            try:
                os.link(path, link)
            except OSError:
                shutil.copy(path, link)
    return sum(1 for _ in folder.iterdir())


if __name__ == "__main__":
    main()
