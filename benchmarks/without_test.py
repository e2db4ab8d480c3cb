"""Fill a folder with the photos on which searches and trainings may train and choose.

    python -m benchmarks.without_test DIR --images DIR

All but the test photos of `benchmarks.recordings` (hard links, else copies). What was trained on
the folder is judged on the others by `benchmarks.quality` and `benchmarks.regret`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
from pathlib import Path

from benchmarks.recordings.partition import assign


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--images", type=Path, required=True)
    options = parser.parse_args()
    print(f"{fill(options.folder, options.images)} photos in {options.folder}")


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
