"""Build the cache of a source of photos, or find the one that is already there."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_pipeline.build_lock import build_lock, clear_abandoned, staging_folder
from data_pipeline.content_hashes import HashedEntry, KnownContents
from data_pipeline.errors import InputError
from data_pipeline.folder import FolderSource
from data_pipeline.grey import MINIMUM_CHROMA
from data_pipeline.listing import PhotoSource, Skipped
from data_pipeline.parallel import map_in_order
from data_pipeline.photo import Fit
from data_pipeline.photo_cache import HEADER, PHOTOS, PIXELS, SKIPPED, PhotoCache, open_cache
from data_pipeline.prepare import FORMAT_VERSION, PhotoSettings, prepare
from data_pipeline.reuse import EarlierCache

__all__ = ["PhotoCache", "Skipped", "build_cache", "default_cache_dir", "open_cache"]


def default_cache_dir() -> Path:
    """`$CHROMATUNE_CACHE`, else `chromatune` in the user's cache directory (XDG)."""
    if chosen := os.environ.get("CHROMATUNE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chromatune"


def build_cache(
    source: PhotoSource | Path,
    *,
    image_size: int,
    fit: Fit = "crop",
    minimum_chroma: float = MINIMUM_CHROMA,
    cache_dir: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PhotoCache:
    """Return the cache of a source's photos; it is built now unless it is there already.

    The cache is named by the contents of the photos and the settings, and appears whole or not at
    all. Of two builders of one cache, the second waits for the first. `progress` is called with
    the photos done and the photos to do (each counts once to be hashed, if it is new, and once to
    be converted); `workers` is the number of threads, by default one for each core.

    Raises:
        InputError: a setting is out of range, the source is not there, no photo is usable, or the
            cache directory cannot be written.
    """
    settings = PhotoSettings(image_size=image_size, fit=fit, minimum_chroma=float(minimum_chroma))
    source = FolderSource(source) if isinstance(source, Path) else source
    cache_dir = default_cache_dir() if cache_dir is None else cache_dir
    listing = source.list_photos()
    _check_writable(cache_dir)

    known = KnownContents(cache_dir, source.name)
    n_unknown = known.count_unknown(listing.entries)
    total = n_unknown + len(listing.entries)

    def report(done: int) -> None:
        if progress is not None:
            progress(done, total)

    photos, skipped = known.hash_all(listing.entries, workers=workers, progress=report)
    key = settings.key([photo.sha256 for photo in photos])
    path = cache_dir / f"{image_size}-{fit}-{key}"
    if (cache := _open_if_whole(path)) is not None:
        return cache
    with build_lock(path):
        if (cache := _open_if_whole(path)) is not None:  # another builder made it meanwhile
            return cache
        clear_abandoned(cache_dir)
        _check_space(cache_dir, len(photos) * 3 * image_size**2)
        earlier = EarlierCache(cache_dir, source.name, settings)
        with staging_folder(path) as staging:
            kept, dropped = _write_photos(
                staging / PIXELS,
                photos,
                settings,
                earlier,
                workers,
                lambda done: report(n_unknown + done),
            )
            not_photos = [{**asdict(row), "sha256": None} for row in listing.skipped + skipped]
            _write_rows(staging / PHOTOS, kept)
            _write_rows(staging / SKIPPED, not_photos + dropped)
            header = {
                "format": FORMAT_VERSION,
                "key": key,
                "source": source.name,
                **asdict(settings),
                "photos": len(kept),
                "skipped": len(not_photos) + len(dropped),
            }
            (staging / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
            if not kept:
                raise _nothing_usable(source, [row["reason"] for row in not_photos + dropped])
    return open_cache(path)


Row = dict[str, str | None]


def _write_photos(
    path: Path,
    photos: list[HashedEntry],
    settings: PhotoSettings,
    earlier: EarlierCache,
    workers: int | None,
    report: Callable[[int], None],
) -> tuple[list[Row], list[Row]]:
    """Write the usable photos one after another; return the rows of the kept and the dropped."""

    def convert(photo: HashedEntry) -> npt.NDArray[np.uint8] | str:
        found = earlier.find(photo.sha256)
        return prepare(photo.entry, settings) if found is None else found

    kept: list[Row] = []
    dropped: list[Row] = []
    with path.open("wb") as file:
        results = map_in_order(convert, photos, workers)
        for done, (photo, result) in enumerate(zip(photos, results, strict=True), start=1):
            row: Row = {"name": photo.entry.name, "sha256": photo.sha256}
            if isinstance(result, str):
                dropped.append({**row, "reason": result})
            else:
                file.write(result.data)
                kept.append(row)
            report(done)
        file.flush()
        os.fsync(file.fileno())  # on disk before the folder takes its final name
    return kept, dropped


def _write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def _open_if_whole(path: Path) -> PhotoCache | None:
    try:
        return open_cache(path)
    except InputError:
        return None


def _check_writable(cache_dir: Path) -> None:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the cache directory must be writable, but '{cache_dir}' is not ({error.strerror}): "
            "name another one in CHROMATUNE_CACHE"
        ) from error


def _check_space(cache_dir: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(cache_dir).free
    if free < n_bytes:
        raise InputError(
            f"the cache needs up to {n_bytes / 1e9:.2f} GB, but '{cache_dir}' has "
            f"{free / 1e9:.2f} GB free: free some, or name another disk in CHROMATUNE_CACHE"
        )


def _nothing_usable(source: PhotoSource, reasons: list[str | None]) -> InputError:
    kinds = Counter((reason or "").partition(":")[0] for reason in reasons)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return InputError(
        f"--images must have at least one colour photo, but '{source.name}' has none ({counts}): "
        "name another folder"
    )
