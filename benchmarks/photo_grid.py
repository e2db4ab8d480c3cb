"""A picture to judge bundles by eye: photos in grey, as each bundle colours them, as they were.

    python -m benchmarks.photo_grid BUNDLE... --photos PHOTO... --out FILE [--across N]

A row is a photo, a column a version of it: grey, each bundle in its order, the original. Photos are
coloured at their own resolution, as `chromatune colorize` does, and then cut to 3:2 to fit in.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from models.bundle.store import Bundle, load_bundle
from models.colorize.pipeline import colorize

TILE = (240, 160)
GAP = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="PHOTO")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--across", type=int, default=1, help="photos beside each other")
    parser.add_argument("--without-originals", action="store_true")
    options = parser.parse_args()
    bundles = [load_bundle(folder) for folder in options.bundles]
    rows = []
    for path in options.photos:
        tiles = versions(path, bundles)
        rows.append(tiles[:-1] if options.without_originals else tiles)
    grid(rows, across=options.across).save(options.out, quality=88, optimize=True)


def versions(path: Path, bundles: list[Bundle]) -> list[Image.Image]:
    """A photo in grey, coloured by each bundle, and as it was."""
    original = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    grey = original.convert("L")
    coloured = [
        Image.fromarray(
            colorize(np.asarray(grey), each.generator, image_size=each.image_size, fit=each.fit)
        )
        for each in bundles
    ]
    return [ImageOps.fit(image, TILE) for image in (grey.convert("RGB"), *coloured, original)]


def grid(rows: list[list[Image.Image]], *, across: int) -> Image.Image:
    """Put `across` photos, each a row of tiles, beside each other."""
    width, height = TILE
    columns = len(rows[0])
    block = columns * (width + GAP)
    down = -(-len(rows) // across)
    size = across * block + (across - 1) * GAP * 3 - GAP, down * (height + GAP) - GAP
    picture = Image.new("RGB", size, "white")
    for i, tiles in enumerate(rows):
        left = (i % across) * (block + GAP * 3)
        for j, tile in enumerate(tiles):
            picture.paste(tile, (left + j * (width + GAP), (i // across) * (height + GAP)))
    return picture


if __name__ == "__main__":
    main()
