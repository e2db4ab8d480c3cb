"""What a source of photos holds, and what the cache would keep of it and drop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipeline.decode.grey import MINIMUM_CHROMA, Colour, measure_colour
from data_pipeline.decode.photo import PhotoError, PhotoHeader, fit_photo
from data_pipeline.parallel import map_in_order
from data_pipeline.sources.folder import FolderSource
from data_pipeline.sources.listing import PhotoEntry, PhotoSource, Skipped

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
    colour: Colour


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
    results = map_in_order(_examine, listing.entries, workers)
    for done, (entry, found) in enumerate(zip(listing.entries, results, strict=True), start=1):
        reason = str(found) if isinstance(found, PhotoError) else found.colour.lack(minimum_chroma)
        if reason is not None:
            skipped.append(Skipped(entry.name, reason))
        elif isinstance(found, _Examined):
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
        chroma_quartiles=_quartiles([found.colour.chroma for found in kept]),
    )


def _examine(entry: PhotoEntry) -> _Examined | PhotoError:
    try:
        content = entry.read()
        fitted = fit_photo(content.decode(at_least=_SIDE), _SIDE, "crop")
        return _Examined(content.sha256, content.header(), measure_colour(fitted))
    except PhotoError as error:
        return error


def _quartiles(values: list[float] | list[int]) -> tuple[float, ...]:
    if not values:
        return ()
    return tuple(float(value) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
