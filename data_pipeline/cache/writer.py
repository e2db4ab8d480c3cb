"""Write a cache's files into a folder; `photo_cache` says what they hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from data_pipeline.cache.prepare import FORMAT_VERSION, PhotoCodes, PhotoSettings, prepare
from data_pipeline.cache.reader import CROPS, HEADER, PHOTOS, PIXELS, SKIPPED
from data_pipeline.cache.reuse import EarlierCache
from data_pipeline.decode.photo import PhotoError
from data_pipeline.errors import InputError
from data_pipeline.sources.content_hashes import HashedEntry
from data_pipeline.sources.listing import PhotoSource, Skipped

Row = dict[str, str | None]
#: a photo's bytes, why its content is not used, or why it could not be read
Converted = PhotoCodes | str | PhotoError


@dataclass(frozen=True)
class Converter:
    """Turns a photo into its bytes, or into the reason why not; copies what was done before."""

    settings: PhotoSettings
    earlier: EarlierCache

    def __call__(self, photo: HashedEntry) -> Converted:
        """Convert one photo."""
        found = self.earlier.find(photo.sha256)
        if found is not None:
            return found
        try:
            content = photo.entry.read()
        except PhotoError as error:
            return error
        return prepare(content, self.settings)


@dataclass
class Outcome:
    """What became of the photos: `kept` and `dropped` were converted, `unread` vanished."""

    converted: list[HashedEntry] = field(default_factory=list)
    kept: list[HashedEntry] = field(default_factory=list)
    dropped: list[tuple[HashedEntry, str]] = field(default_factory=list)
    unread: list[Skipped] = field(default_factory=list)


def write_photos(
    folder: Path,
    settings: PhotoSettings,
    photos: list[HashedEntry],
    results: Iterator[Converted],
    report: Callable[[int], None],
) -> Outcome:
    """Write the usable photos one after another."""
    outcome = Outcome()
    with (folder / PIXELS).open("wb") as pixels, ExitStack() as opened:
        crops = opened.enter_context((folder / CROPS).open("wb")) if settings.crops else None
        for done, (photo, result) in enumerate(zip(photos, results, strict=True), start=1):
            if isinstance(result, PhotoError):
                outcome.unread.append(Skipped(photo.entry.name, str(result)))
            else:
                outcome.converted.append(photo)
                if isinstance(result, str):
                    outcome.dropped.append((photo, result))
                else:
                    outcome.kept.append(photo)
                    pixels.write(result.whole.data)
                    if crops is not None and result.larger is not None:
                        crops.write(result.larger.data)
            report(done)
    return outcome


def write_index(
    folder: Path,
    source: PhotoSource,
    settings: PhotoSettings,
    outcome: Outcome,
    not_photos: list[Skipped],
) -> None:
    """Write all but the pixels.

    Raises:
        InputError: no photo was kept.
    """
    skipped = not_photos + outcome.unread
    skipped_rows: list[Row] = [{**asdict(row), "sha256": None} for row in skipped]
    skipped_rows += [
        {"name": photo.entry.name, "reason": reason, "sha256": photo.sha256}
        for photo, reason in outcome.dropped
    ]
    if not outcome.kept:
        raise _nothing_usable(source, skipped_rows)
    _write_rows(
        folder / PHOTOS,
        [{"name": photo.entry.name, "sha256": photo.sha256} for photo in outcome.kept],
    )
    _write_rows(folder / SKIPPED, skipped_rows)
    header = {
        "format": FORMAT_VERSION,
        "key": key_of(settings, outcome.converted),
        "source": source.name,
        **asdict(settings),
        "photos": len(outcome.kept),
        "skipped": len(skipped_rows),
    }
    (folder / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")


def key_of(settings: PhotoSettings, photos: list[HashedEntry]) -> str:
    """Name the cache of these photos, which are in the order of their hashes."""
    return settings.key([photo.sha256 for photo in photos])


def _write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def _nothing_usable(source: PhotoSource, skipped: list[Row]) -> InputError:
    kinds = Counter((row["reason"] or "").partition(":")[0] for row in skipped)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
    return InputError(
        f"--images must have at least one colour photo, but '{source.name}' has none ({counts}): "
        "name another folder"
    )
