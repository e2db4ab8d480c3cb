"""Remember the content hashes of a source, so that unchanged photos are not read at each start."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from data_pipeline.listing import PhotoEntry


class KnownHashes:
    """(name, stamp) -> content hash of one source, kept in one file of JSON lines."""

    def __init__(self, cache_dir: Path, source_name: str) -> None:
        digest = hashlib.sha256(source_name.encode()).hexdigest()[:32]
        self._path = cache_dir / "sources" / f"{digest}.jsonl"
        self._known: dict[tuple[str, str], str] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    name, stamp, sha256 = json.loads(line)
                except ValueError:
                    continue  # a line that a crash cut short is a hash to compute again
                self._known[name, stamp] = sha256

    def get(self, entry: PhotoEntry) -> str | None:
        """Return the hash that the entry had when it last had this stamp, if ever."""
        return self._known.get((entry.name, entry.stamp))

    def save(self, hashes: Iterable[tuple[PhotoEntry, str]]) -> None:
        """Remember these hashes and forget all others, if that changes anything."""
        known = {(entry.name, entry.stamp): sha256 for entry, sha256 in hashes}
        if known == self._known:
            return
        self._known = known
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        with temporary.open("w", encoding="utf-8") as file:
            for (name, stamp), sha256 in known.items():
                file.write(json.dumps([name, stamp, sha256]) + "\n")
        temporary.replace(self._path)
