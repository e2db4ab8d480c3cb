"""The cache on disk, read: photos as 3 bytes a pixel, memory-mapped and shared by all trials.

    photos.u8      N x 3 x S x S bytes: round(2.55 L), round(a) + 128, round(b) + 128
    photos.jsonl   N rows {"name", "sha256"}, in the order of the photos
    skipped.jsonl  rows {"name", "reason"}
    cache.json     format, key, source, settings and counts

`L/50 - 1 == u8/127.5 - 1` and `a/127 == (u8 - 128)/127`. Rows are in the order of the content
hashes, so the files depend on nothing but the photos' contents, names and the settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_pipeline.errors import InputError
from data_pipeline.listing import Skipped
from data_pipeline.photo import Fit
from data_pipeline.prepare import FORMAT_VERSION

HEADER, PIXELS, PHOTOS, SKIPPED = "cache.json", "photos.u8", "photos.jsonl", "skipped.jsonl"


class PhotoCache:
    """An opened cache. It holds no photo in memory, and reads names only when asked."""

    def __init__(self, path: Path) -> None:
        """Open the cache in the folder `path`; see `open_cache`."""
        self.path = path
        header = _read_header(path)
        self.key: str = header["key"]
        self.image_size: int = header["image_size"]
        self.fit: Fit = header["fit"]
        self.source: str = header["source"]
        self._count: int = header["photos"]
        shape = (self._count, 3, self.image_size, self.image_size)
        expected = int(np.prod(shape))
        actual = (path / PIXELS).stat().st_size if (path / PIXELS).exists() else 0
        if actual != expected:
            raise _damaged(path, f"{PIXELS} must have {expected} bytes, but has {actual}")
        #: (N, 3, S, S) uint8, read-only, pages shared with every other process that maps it
        self.pixels: npt.NDArray[np.uint8] = np.memmap(
            path / PIXELS, dtype=np.uint8, mode="r", shape=shape
        )

    def __len__(self) -> int:
        return self._count

    @property
    def names(self) -> list[str]:
        """Names of the photos within their source, read from disk at each call."""
        return [row["name"] for row in self._rows(PHOTOS)]

    @property
    def hashes(self) -> list[str]:
        """SHA-256 of the photos' files, read from disk at each call."""
        return [row["sha256"] for row in self._rows(PHOTOS)]

    @cached_property
    def skipped(self) -> list[Skipped]:
        """Files of the source that are not in the cache."""
        return [Skipped(row["name"], row["reason"]) for row in self._rows(SKIPPED)]

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        with (self.path / name).open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def open_cache(path: Path) -> PhotoCache:
    """Open the cache in the folder `path`; the photos it was built from are not needed.

    Raises:
        InputError: the folder is no cache, is of another version, or is damaged.
    """
    return PhotoCache(Path(path))


def _read_header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"a photo cache must be a folder with a {HEADER}, but '{path}' has none: "
            "build it with `chromatune data build`"
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, f"{HEADER} cannot be read") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT_VERSION:
        raise _damaged(path, f"{HEADER} must be of format {FORMAT_VERSION}")
    return header


def _damaged(path: Path, what: str) -> InputError:
    return InputError(f"the photo cache '{path}' is damaged ({what}): delete it and build it again")
