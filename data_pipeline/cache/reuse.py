"""Photos that an earlier cache of the same source holds already, ready to be copied."""

from __future__ import annotations

from pathlib import Path

from data_pipeline.cache.prepare import PhotoCodes, PhotoSettings
from data_pipeline.cache.reader import HEADER, PhotoCache, open_cache
from data_pipeline.errors import InputError


class EarlierCache:
    """The newest cache of a source with the same settings, looked up by content hash.

    When ten photos join a folder of 100,000, ten are decoded and the others are copied.
    """

    def __init__(self, cache_dir: Path, source_name: str, settings: PhotoSettings) -> None:
        self._rows: dict[str, int] = {}
        self._reasons: dict[str, str] = {}
        self._cache: PhotoCache | None = None
        cache = _newest(cache_dir, source_name, settings)
        if cache is None:
            return
        try:
            self._rows = {content: row for row, content in enumerate(cache.hashes)}
            self._reasons = {
                row["sha256"]: row["reason"] for row in cache.skipped_rows() if row["sha256"]
            }
            self._cache = cache
        except InputError:
            self._rows = {}  # damaged: nothing to be had from it

    def find(self, sha256: str) -> PhotoCodes | str | None:
        """Return what `prepare` returned for this content, or None if it is not known."""
        row = self._rows.get(sha256)
        if row is not None and (cache := self._cache) is not None:
            return PhotoCodes(cache.pixels[row], None if cache.crops is None else cache.crops[row])
        return self._reasons.get(sha256)


def _newest(cache_dir: Path, source_name: str, settings: PhotoSettings) -> PhotoCache | None:
    headers = cache_dir.glob(f"{settings.image_size}-{settings.fit}-*/{HEADER}")
    for header in sorted(headers, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            cache = open_cache(header.parent)
        except InputError:
            continue
        if cache.source == source_name and cache.settings == settings:
            return cache
    return None
