"""Beginnings in a folder: one folder for each, the least recently used ones removed."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from data_pipeline.durable import make_folder, replace_file

#: of all beginnings together. An epoch takes 3.6 kB times the square of the generator's width (it,
#: its average and two moments): this is room for 10 beginnings of 12 epochs at width 48.
LIMIT_BYTES = 2**30


class FolderStore:
    """Keeps files of beginnings (see `shared_epoch.EpochStore`); several processes may use it."""

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none; its beginning then counts as used."""
        path = self._folder / name
        try:
            content = path.read_bytes()
            os.utime(path.parent)
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep a file, and remove other beginnings if there is no room for it.

        It is not synced: what a power cut damages is trained again.
        """
        path = self._folder / name
        # Another process may just be removing this beginning to make room.
        with suppress(FileNotFoundError):
            make_folder(path.parent)
            replace_file(path, content, durable=False)
            os.utime(path.parent)
            self._make_room(beside=path.parent)

    def _make_room(self, *, beside: Path) -> None:
        sizes: dict[Path, int] = {}
        used: dict[Path, float] = {}
        for beginning in self._folder.iterdir():
            with suppress(FileNotFoundError):
                sizes[beginning] = sum(file.stat().st_size for file in beginning.iterdir())
                used[beginning] = beginning.stat().st_mtime
        for beginning in sorted(used, key=lambda path: used[path]):
            if sum(sizes.values()) <= self._limit_bytes:
                return
            if beginning != beside:
                shutil.rmtree(beginning, ignore_errors=True)
                del sizes[beginning]
