"""A disk that loses what was not synced: what a power cut may leave of a folder.

Reading the folder itself, and noting what each `os.fsync` has made durable, it needs to know
nothing of who writes there or how. Whoever leaves a sync out is found out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

#: system calls that change names; with `fsync` these are the moments at which power may fail
_RENAMING = ("mkdir", "link", "symlink", "replace", "rename", "unlink", "rmdir")


class PowerCut(BaseException):
    """Nothing after it runs."""


@dataclass
class Disk:
    """A folder whose power fails at the `moment`-th change; what survives then lies in `after`.

    Of each file's content since its last sync a random part is kept, cut at any byte or with zeros
    where a page was not written; of each folder's names since its last sync any are kept.
    """

    folder: Path
    after: Path
    rng: Random
    moment: int
    #: what is on the disk for certain: contents of files and names in folders, by inode
    _contents: dict[int, bytes] = field(default_factory=dict)
    _names: dict[int, dict[str, int]] = field(default_factory=dict)
    #: inodes that are kept from being used again, as a real disk's would not be before a sync
    _held: dict[int, int] = field(default_factory=dict)
    failed: bool = False

    @contextmanager
    def powered(self) -> Iterator[None]:
        """What changes in this context is on the disk; it ends early when the power fails."""
        self._note_all(self.folder)
        names = {name: self._around(getattr(os, name)) for name in _RENAMING}
        try:
            with patch.multiple(os, fsync=self._around(self._sync), **names):
                yield
        except BaseException:
            # What clean-up made of the power cut does not matter.
            if not self.failed:
                raise
        finally:
            for descriptor in self._held.values():
                os.close(descriptor)

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self._let_time_pass()
            result = call(*args, **kwargs)
            self._let_time_pass()
            return result

        return wrapper

    def _let_time_pass(self) -> None:
        self.moment -= 1
        if self.moment == 0:
            self.failed = True
            self._leave(self.folder.stat().st_ino, self.folder, self.after)
            raise PowerCut

    def _sync(self, descriptor: int) -> None:
        self._note(Path(f"/proc/self/fd/{descriptor}").resolve())

    def _note(self, path: Path) -> None:
        status = path.stat()
        self._hold(path)
        if not stat.S_ISDIR(status.st_mode):
            self._contents[status.st_ino] = path.read_bytes()
            return
        self._names[status.st_ino] = {
            entry.name: entry.stat(follow_symlinks=False).st_ino for entry in os.scandir(path)
        }
        for entry in os.scandir(path):
            self._hold(Path(entry.path))

    def _hold(self, path: Path) -> None:
        inode = path.lstat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_PATH | os.O_NOFOLLOW)

    def _note_all(self, folder: Path) -> None:
        for root, _, names in os.walk(folder):
            for name in names:
                if not Path(root, name).is_symlink():
                    self._note(Path(root, name))
            self._note(Path(root))

    def _leave(self, inode: int, now: Path | None, after: Path) -> None:
        """Put what the cut leaves of a folder (where it is now, unless it was removed) there."""
        after.mkdir()
        durable = self._names.get(inode, {})
        entries = {} if now is None else {entry.name: entry for entry in os.scandir(now)}
        for name in sorted({*durable, *entries}):
            found = entries.get(name)
            current = None if found is None else found.stat(follow_symlinks=False).st_ino
            kept = self.rng.choice((durable.get(name), current))
            if kept is None:
                continue
            here = Path(found.path) if found is not None and kept == current else None
            if here is not None and here.is_symlink():
                (after / name).symlink_to(here.readlink())
            elif kept in self._names or (here is not None and here.is_dir()):
                self._leave(kept, here, after / name)
            else:
                (after / name).write_bytes(self._part(kept, here))

    def _part(self, inode: int, now: Path | None) -> bytes:
        """What is left of a file's content."""
        durable = self._contents.get(inode, b"")
        current = durable if now is None else now.read_bytes()
        if not current.startswith(durable):  # written over, not appended to
            return self.rng.choice((durable, current))
        end = self.rng.choice(
            (len(durable), len(current), self.rng.randint(len(durable), len(current)))
        )
        part = bytearray(current[:end])
        if self.rng.random() < 0.2:
            hole = sorted(self.rng.randint(len(durable), end) for _ in range(2))
            part[hole[0] : hole[1]] = bytes(hole[1] - hole[0])
        return bytes(part)
