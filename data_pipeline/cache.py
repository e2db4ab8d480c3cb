"""Build the cache of a source of photos, or find the one that is already there."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from data_pipeline.build_lock import staging_folder
from data_pipeline.errors import InputError
from data_pipeline.folder import FolderSource
from data_pipeline.grey import MINIMUM_CHROMA
from data_pipeline.known_hashes import KnownHashes
from data_pipeline.listing import PhotoEntry, PhotoSource, Skipped
from data_pipeline.photo import Fit, PhotoError
from data_pipeline.photo_cache import HEADER, PHOTOS, PIXELS, SKIPPED, PhotoCache, open_cache
from data_pipeline.prepare import FORMAT_VERSION, PhotoSettings, prepare

__all__ = ["PhotoCache", "Skipped", "build_cache", "default_cache_dir", "open_cache"]

Progress = Callable[[int, int], None]


def default_cache_dir() -> Path:
    """`$CHROMATUNE_CACHE`, else chromatune's folder in the user's cache directory."""
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
    progress: Progress | None = None,
) -> PhotoCache:
    """Return the cache of a source's photos, built now unless it is there already.

    The cache is named by the contents of the photos and the settings, and appears whole or not at
    all. Of two builders of one cache, the second waits for the first.

    Raises:
        InputError: a setting is out of range, the source is not there, or no photo is usable.
    """
    settings = _check_settings(image_size, fit, minimum_chroma)
    source = FolderSource(source) if isinstance(source, Path) else source
    cache_dir = default_cache_dir() if cache_dir is None else cache_dir
    listing = source.list_photos()
    workers = workers or os.cpu_count() or 1

    hashed, skipped = _hash_all(listing.entries, KnownHashes(cache_dir, source.name), workers)
    skipped += listing.skipped
    key = settings.key([sha256 for sha256, _ in hashed])
    path = cache_dir / f"{image_size}-{fit}-{key}"
    if (path / HEADER).exists():
        return open_cache(path)
    with staging_folder(path) as staging:
        if staging is None:  # another builder finished it while we waited
            return open_cache(path)
        rows: list[dict[str, str]] = []
        with (staging / PIXELS).open("wb") as pixels:
            for done, (sha256, entry, reason) in enumerate(
                _prepare_all(hashed, settings, workers, pixels), start=1
            ):
                if reason is None:
                    rows.append({"name": entry.name, "sha256": sha256})
                else:
                    skipped.append(Skipped(entry.name, reason))
                if progress is not None:
                    progress(done, len(hashed))
        if not rows:
            raise _nothing_usable(source, skipped)
        _write_rows(staging / PHOTOS, rows)
        _write_rows(staging / SKIPPED, [asdict(row) for row in skipped])
        header = {
            "format": FORMAT_VERSION,
            "key": key,
            "source": source.name,
            **asdict(settings),
            "photos": len(rows),
            "skipped": len(skipped),
        }
        (staging / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
    return open_cache(path)


def _check_settings(image_size: int, fit: Fit, minimum_chroma: float) -> PhotoSettings:
    if not 16 <= image_size <= 2048:
        raise InputError(
            f"image_size must be between 16 and 2048 pixels, but got {image_size}: "
            "take for example 128"
        )
    if fit not in ("crop", "squash"):
        raise InputError(f"fit must be 'crop' or 'squash', but got '{fit}': take 'crop'")
    if not 0 <= minimum_chroma <= 100:
        raise InputError(
            f"minimum_chroma must be between 0 and 100, but got {minimum_chroma}: "
            f"take the default, {MINIMUM_CHROMA:g}"
        )
    return PhotoSettings(image_size=image_size, fit=fit, minimum_chroma=float(minimum_chroma))


def _hash_all(
    entries: list[PhotoEntry], known: KnownHashes, workers: int
) -> tuple[list[tuple[str, PhotoEntry]], list[Skipped]]:
    """Pair each readable entry with its content hash, in the order of (hash, name)."""

    def hash_one(entry: PhotoEntry) -> str | PhotoError:
        try:
            return known.get(entry) or entry.read().sha256
        except PhotoError as error:
            return error

    hashed: list[tuple[str, PhotoEntry]] = []
    skipped: list[Skipped] = []
    with ThreadPoolExecutor(workers) as pool:
        for entry, result in zip(entries, pool.map(hash_one, entries), strict=True):
            if isinstance(result, PhotoError):
                skipped.append(Skipped(entry.name, str(result)))
            else:
                hashed.append((result, entry))
    known.save((entry, sha256) for sha256, entry in hashed)
    hashed.sort(key=lambda pair: (pair[0], pair[1].name))
    return hashed, skipped


def _prepare_all(
    hashed: list[tuple[str, PhotoEntry]], settings: PhotoSettings, workers: int, pixels: BinaryIO
) -> Iterator[tuple[str, PhotoEntry, str | None]]:
    """Write the usable photos one after another; yield each entry with why it is not used."""
    with ThreadPoolExecutor(workers) as pool:
        window = 16 * workers
        for start in range(0, len(hashed), window):
            chunk = hashed[start : start + window]
            results = pool.map(lambda pair: prepare(pair[1], settings), chunk)
            for (sha256, entry), result in zip(chunk, results, strict=True):
                if isinstance(result, str):
                    yield sha256, entry, result
                else:
                    pixels.write(result.tobytes())
                    yield sha256, entry, None


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def _nothing_usable(source: PhotoSource, skipped: list[Skipped]) -> InputError:
    reasons = Counter(row.kind for row in skipped)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(4))
    return InputError(
        f"--images must have at least one colour photo, but '{source.name}' has none ({counts}): "
        "name another folder"
    )
