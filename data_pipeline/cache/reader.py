"""The cache on disk, read: photos as 3 bytes a pixel, memory-mapped and shared by all trials.

    photos.u8      N x 3 x S x S bytes: round(2.55 L), round(a) + 128, round(b) + 128
    crops.u8       the same photos with 5/4 of the side, for trainings on crops; only if asked for
    photos.jsonl   N rows {"name", "sha256"}, in the order of the photos
    skipped.jsonl  rows {"name", "reason", "sha256"}; sha256 is null for files that are no photos
    cache.json     format, key, source, settings and counts

`L/50 - 1 == u8/127.5 - 1` and `a/127 == (u8 - 128)/127`. Rows are in the order of (sha256, name):
the photos of a cache do not depend on when or where it was built.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline.cache.prepare import FORMAT_VERSION, Codes, PhotoSettings
from data_pipeline.errors import InputError
from data_pipeline.sources.listing import Skipped

HEADER, PIXELS, CROPS = "cache.json", "photos.u8", "crops.u8"
PHOTOS, SKIPPED = "photos.jsonl", "skipped.jsonl"


class PhotoCache:
    """An opened cache. It holds no photo in memory and reads names only when asked."""

    def __init__(self, path: Path) -> None:
        """Open the cache in the folder `path`; see `open_cache`."""
        self.path = path
        header = _read_header(path)
        try:
            self.settings = PhotoSettings(
                image_size=header["image_size"],
                fit=header["fit"],
                minimum_chroma=header["minimum_chroma"],
                crops=header.get("crops", False),
            )
            self.key = str(header["key"])
            self.source = str(header["source"])
            self._count = int(header["photos"])
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise _damaged(path, f"{type(error).__name__}: {error}") from error
        if self._count < 1:
            raise _damaged(path, f"it must have a photo, not {self._count}")
        #: (N, 3, S, S) uint8, read-only; its pages are shared by all processes that map it
        self.pixels = self._map(PIXELS, self.image_size)
        #: (N, 3, C, C) likewise, with C the settings' `crop_side`; None in a cache without crops
        self.crops = self._map(CROPS, self.settings.crop_side) if self.settings.crops else None

    def _map(self, name: str, side: int) -> Codes:
        shape = (self._count, 3, side, side)
        try:
            actual = (self.path / name).stat().st_size
        except OSError as error:
            raise _damaged(self.path, f"{type(error).__name__}: {error}") from error
        if actual != math.prod(shape):
            raise _damaged(self.path, f"{name} must have {math.prod(shape)} bytes, not {actual}")
        # A plain array: indexing a np.memmap makes another np.memmap, which takes seven times as
        # long as copying a batch.
        return np.asarray(np.memmap(self.path / name, dtype=np.uint8, mode="r", shape=shape))

    def __len__(self) -> int:
        return self._count

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return self.settings.image_size

    @property
    def fit(self) -> str:
        """How photos were made square: "crop" or "squash"."""
        return self.settings.fit

    @property
    def names(self) -> list[str]:
        """Names of the photos within their source; read from disk at each call, not kept."""
        return self._column("name")

    @property
    def hashes(self) -> list[str]:
        """SHA-256 of the photos' contents; read from disk at each call, not kept."""
        return self._column("sha256")

    @cached_property
    def skipped(self) -> list[Skipped]:
        """Files of the source that are not in the cache."""
        return [Skipped(row["name"], row["reason"]) for row in self.skipped_rows()]

    def skipped_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of `skipped.jsonl`."""
        return self._rows(SKIPPED)

    def _column(self, key: str) -> list[str]:
        values = [row[key] for row in self._rows(PHOTOS)]
        if len(values) != self._count:
            raise _damaged(self.path, f"{PHOTOS} must have {self._count} rows, not {len(values)}")
        return values

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        try:
            with (self.path / name).open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)
        except (OSError, ValueError) as error:
            raise _damaged(self.path, f"{name} cannot be read") from error


def open_cache(path: Path) -> PhotoCache:
    """Open the cache in the folder `path`; the photos it was built from are not needed.

    Raises:
        InputError: the folder is no cache, is of another version, or is damaged.
    """
    return PhotoCache(Path(path))


def _read_header(path: Path) -> dict[str, Any]:
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
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
