"""What a source of photos holds, and what the cache would keep of it and drop."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipeline.folder import FolderSource
from data_pipeline.grey import MINIMUM_CHROMA, grey_reason
from data_pipeline.lab import rgb_to_lab
from data_pipeline.listing import PhotoEntry, PhotoSource, Skipped
from data_pipeline.photo import PhotoError, PhotoHeader, fit_photo

# Colour is judged at this size; more would only cost time.
_SIDE = 128


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What `inspect_source` found."""

    source: str
    kept: int
    #: distinct contents among the kept
    distinct: int
    skipped: list[Skipped]
    #: number of kept photos by file format, most frequent first
    formats: dict[str, int]
    #: 0, 25, 50, 75 and 100 % quantiles over the kept photos, in pixels as stored
    width_quartiles: tuple[float, ...]
    height_quartiles: tuple[float, ...]
    #: the same of a photo's mean chroma, CIELAB units
    chroma_quartiles: tuple[float, ...]

    @property
    def dropped(self) -> dict[str, int]:
        """Number of skipped files by kind of reason, most frequent first."""
        return dict(Counter(row.kind for row in self.skipped).most_common())


@dataclass(frozen=True)
class _Examined:
    sha256: str
    header: PhotoHeader
    chroma: float
    grey: str | None


def inspect_source(
    source: PhotoSource | Path,
    *,
    minimum_chroma: float = MINIMUM_CHROMA,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Read all photos of a source and tell what is there; nothing is written.

    Raises:
        InputError: the source is not there, or has no photo at all.
    """
    source = FolderSource(source) if isinstance(source, Path) else source
    listing = source.list_photos()
    skipped = list(listing.skipped)
    kept: list[_Examined] = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        results = pool.map(lambda entry: _examine(entry, minimum_chroma), listing.entries)
        for done, (entry, found) in enumerate(zip(listing.entries, results, strict=True), start=1):
            if isinstance(found, PhotoError):
                skipped.append(Skipped(entry.name, str(found)))
            elif found.grey is not None:
                skipped.append(Skipped(entry.name, found.grey))
            else:
                kept.append(found)
            if progress is not None:
                progress(done, len(listing.entries))
    return Inspection(
        source=source.name,
        kept=len(kept),
        distinct=len({found.sha256 for found in kept}),
        skipped=skipped,
        formats=dict(Counter(found.header.format for found in kept).most_common()),
        width_quartiles=_quartiles([found.header.width for found in kept]),
        height_quartiles=_quartiles([found.header.height for found in kept]),
        chroma_quartiles=_quartiles([found.chroma for found in kept]),
    )


def _examine(entry: PhotoEntry, minimum_chroma: float) -> _Examined | PhotoError:
    try:
        content = entry.read()
        image = content.decode(at_least=2 * _SIDE)
        header = content.header()
    except PhotoError as error:
        return error
    lab = rgb_to_lab(fit_photo(image, _SIDE, "crop"))
    chroma = float(np.hypot(lab[..., 1], lab[..., 2]).mean())
    return _Examined(content.sha256, header, chroma, grey_reason(lab, minimum_chroma))


def _quartiles(values: list[float] | list[int]) -> tuple[float, ...]:
    if not values:
        return ()
    return tuple(float(value) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
