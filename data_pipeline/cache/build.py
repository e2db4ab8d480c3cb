"""Build the cache of a source of photos, or find the one that is already there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from data_pipeline.cache.build_lock import build_lock, clear_abandoned, publish, staging_folder
from data_pipeline.cache.prepare import PhotoSettings
from data_pipeline.cache.reader import PhotoCache, open_cache
from data_pipeline.cache.reuse import EarlierCache
from data_pipeline.cache.writer import Converter, key_of, write_index, write_photos
from data_pipeline.decode.grey import MINIMUM_CHROMA
from data_pipeline.decode.photo import Fit
from data_pipeline.errors import InputError
from data_pipeline.parallel import map_in_order
from data_pipeline.sources.content_hashes import HashedEntry, KnownContents
from data_pipeline.sources.folder import FolderSource
from data_pipeline.sources.listing import PhotoSource, Skipped

#: of the folder of a cache that holds photos a second time
CROPS_SUFFIX = "-crops"

__all__ = [
    "CROPS_SUFFIX",
    "PhotoCache",
    "Skipped",
    "build_cache",
    "check_space",
    "check_writable",
    "default_cache_dir",
    "open_cache",
]


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
    crops: bool = False,
    cache_dir: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PhotoCache:
    """Return the cache of a source's photos; it is built now unless it is there already.

    The cache is named by the contents of the photos and the settings, and appears whole or not at
    all. Of two builders of one cache, the second waits for the first. `progress` is called with
    the photos done and the photos to do (each counts once to be hashed, if it is new, and once to
    be converted); `workers` is the number of threads, by default one for each core. With `crops`
    the cache holds the photos a second time, larger, for trainings on crops of them.

    Raises:
        InputError: a setting is out of range, the source is not there, no photo is usable, or the
            cache directory cannot be written.
    """
    settings = PhotoSettings(
        image_size=image_size, fit=fit, minimum_chroma=float(minimum_chroma), crops=crops
    )
    source = FolderSource(source) if isinstance(source, Path) else source
    cache_dir = default_cache_dir() if cache_dir is None else cache_dir
    listing = source.list_photos()
    check_writable(cache_dir)

    known = KnownContents(cache_dir, source.name)
    n_unknown = known.count_unknown(listing.entries)
    total = n_unknown + len(listing.entries)

    def report(done: int) -> None:
        if progress is not None:
            progress(done, total)

    photos, skipped = known.hash_all(listing.entries, workers=workers, progress=report)
    path = _path_of(cache_dir, settings, photos)
    if (cache := _open_if_whole(path)) is not None:
        return cache
    with build_lock(path):
        if (cache := _open_if_whole(path)) is not None:  # another builder made it meanwhile
            return cache
        clear_abandoned(cache_dir)
        check_space(cache_dir, len(photos) * settings.bytes_a_photo)
        with staging_folder(path) as staging:
            convert = Converter(settings, EarlierCache(cache_dir, source.name, settings))
            outcome = write_photos(
                staging,
                settings,
                photos,
                map_in_order(convert, photos, workers),
                lambda done: report(n_unknown + done),
            )
            write_index(staging, source, settings, outcome, listing.skipped + skipped)
            # A photo that vanished meanwhile is not among the contents that name the cache.
            path = _path_of(cache_dir, settings, outcome.converted)
            publish(staging, path)
    return open_cache(path)


def _path_of(cache_dir: Path, settings: PhotoSettings, photos: list[HashedEntry]) -> Path:
    name = f"{settings.image_size}-{settings.fit}-{key_of(settings, photos)}"
    return cache_dir / (name + CROPS_SUFFIX if settings.crops else name)


def _open_if_whole(path: Path) -> PhotoCache | None:
    try:
        return open_cache(path)
    except InputError:
        return None


def check_writable(cache_dir: Path) -> None:
    """Make the cache directory; raises InputError when it cannot be written."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        if not os.access(cache_dir, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(
            f"the cache directory must be writable, but '{cache_dir}' is not ({error.strerror}): "
            "name another one in CHROMATUNE_CACHE"
        ) from error


def check_space(cache_dir: Path, n_bytes: int) -> None:
    """Raise InputError unless the disk of the cache directory has so much room."""
    free = shutil.disk_usage(cache_dir).free
    if free < n_bytes:
        raise InputError(
            f"the cache needs up to {n_bytes / 1e9:.2f} GB, but '{cache_dir}' has "
            f"{free / 1e9:.2f} GB free: free some, or name another disk in CHROMATUNE_CACHE"
        )
