"""Content hashes of a source's photos, remembered so that unchanged photos are not read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.decode.photo import NotAPhotoError, PhotoError
from data_pipeline.durable import replacing
from data_pipeline.parallel import map_in_order
from data_pipeline.sources.listing import PhotoEntry, Skipped


@dataclass(frozen=True)
class HashedEntry:
    """A photo and the hash of its content, 64 hexadecimal digits."""

    entry: PhotoEntry
    sha256: str


@dataclass(frozen=True)
class _Known:
    """What an entry with this stamp turned out to be: a content, or no photo for this reason."""

    sha256: str | None
    reason: str | None


class KnownContents:
    """What the photos of one source are, by name and stamp; one file of JSON lines."""

    def __init__(self, cache_dir: Path, source_name: str) -> None:
        digest = hashlib.sha256(source_name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = cache_dir / "sources" / f"{digest}.jsonl"
        self._known: dict[tuple[str, str], _Known] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    name, stamp, sha256, reason = json.loads(line)
                except (ValueError, TypeError):
                    continue  # a damaged line is a photo to read again
                self._known[name, stamp] = _Known(sha256, reason)

    def count_unknown(self, entries: list[PhotoEntry]) -> int:
        """How many of these entries have to be read."""
        return sum((entry.name, entry.stamp) not in self._known for entry in entries)

    def hash_all(
        self,
        entries: list[PhotoEntry],
        *,
        workers: int | None,
        progress: Callable[[int], None],
    ) -> tuple[list[HashedEntry], list[Skipped]]:
        """Hash all entries and remember the outcome.

        Returns the photos in the order of (hash, name), and the entries that are none.
        `progress` is called with the number of entries read so far.
        """
        hashed: list[HashedEntry] = []
        skipped: list[Skipped] = []
        unknown = [entry for entry in entries if (entry.name, entry.stamp) not in self._known]
        passing: dict[str, str] = {}
        for done, (entry, outcome) in enumerate(
            zip(unknown, map_in_order(_identify, unknown, workers), strict=True), start=1
        ):
            if isinstance(outcome, _Known):
                self._known[entry.name, entry.stamp] = outcome
            else:
                # not remembered: next time the disk or the permissions may be better
                passing[entry.name] = str(outcome)
            progress(done)
        for entry in entries:
            known = self._known.get((entry.name, entry.stamp))
            if known is None:
                skipped.append(Skipped(entry.name, passing[entry.name]))
            elif known.sha256 is None:
                skipped.append(Skipped(entry.name, known.reason or "not a photo"))
            else:
                hashed.append(HashedEntry(entry, known.sha256))
        if unknown:
            self._save(entries)
        return sorted(hashed, key=lambda photo: (photo.sha256, photo.entry.name)), skipped

    def _save(self, entries: list[PhotoEntry]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Not durable: lines that a power cut takes are photos to read again.
        with (
            replacing(self._path, durable=False) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            for entry in entries:
                if known := self._known.get((entry.name, entry.stamp)):
                    row = [entry.name, entry.stamp, known.sha256, known.reason]
                    file.write(json.dumps(row) + "\n")


def _identify(entry: PhotoEntry) -> _Known | PhotoError:
    try:
        return _Known(entry.read().sha256, None)
    except NotAPhotoError as error:
        return _Known(None, str(error))
    except PhotoError as error:
        return error
