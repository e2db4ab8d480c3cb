"""A folder of photos, scanned by content."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_pipeline.decode.formats import PREFIX_BYTES, sniff
from data_pipeline.decode.photo import (
    PhotoError,
    PhotoHeader,
    RGBArray,
    decode_photo,
    read_file,
    read_header,
)
from data_pipeline.errors import InputError
from data_pipeline.sources.listing import Listing, PhotoEntry, Skipped

# What operating systems and programs leave in folders of photos; names with a dot in front, too.
_JUNK = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"}
_JUNK_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}


@dataclass(frozen=True)
class FileContent:
    """The bytes of a photo file."""

    data: bytes

    @cached_property
    def sha256(self) -> str:
        """Hash of the file's bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def header(self) -> PhotoHeader:
        """Tell format and size; see `read_header`."""
        return read_header(self.data)

    def decode(self, *, at_least: int) -> RGBArray:
        """Decode it; see `decode_photo`."""
        return decode_photo(self.data, at_least=at_least)


@dataclass(frozen=True)
class FileEntry:
    """A file that may be a photo; whether it is shows when it is read."""

    name: str
    stamp: str
    path: str

    def read(self) -> FileContent:
        """Read the file, if it is still the one that was listed."""
        content = FileContent(read_file(Path(self.path)))
        if _stamp(Path(self.path)) != self.stamp:
            raise PhotoError("changed while the folder was being read")
        return content


@dataclass(frozen=True)
class FolderSource:
    """All photos in a folder and the folders below it.

    Links are followed, each folder once. Hidden folders and those of operating systems are not
    entered; hidden files count only if they are photos.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's real path."""
        return str(self.path.resolve())

    def list_photos(self) -> Listing:
        """List the folder's files without reading them; see `PhotoSource`."""
        if not self.path.is_dir():
            what = "is a file" if self.path.exists() else "does not exist"
            raise InputError(
                f"--images must name an existing folder, but '{self.path}' {what}: check the path"
            )
        found = list(_walk(self.path))
        entries: list[PhotoEntry] = sorted(
            (item for item in found if isinstance(item, FileEntry)), key=lambda entry: entry.name
        )
        skipped = sorted(
            (item for item in found if isinstance(item, Skipped)), key=lambda item: item.name
        )
        if not entries:
            raise InputError(
                f"--images must name a folder with photos, but '{self.path}' has "
                f"{'none that can be read' if skipped else 'none'}: name another folder"
            )
        return Listing(entries, skipped)


def _walk(root: Path) -> Iterator[FileEntry | Skipped]:
    # os.scandir and plain strings: with pathlib 100,000 photos would take several times as long.
    entered = {_identity(root.stat())}
    folders = [("", str(root))]
    while folders:
        prefix, folder = folders.pop()
        try:
            with os.scandir(folder) as children:
                found = sorted(children, key=lambda child: child.name)
        except OSError as error:
            yield Skipped(_readable(prefix[:-1]), f"folder cannot be read: {error.strerror}")
            continue
        for child in found:
            name = prefix + child.name
            try:
                status = child.stat()
            except OSError as error:
                what = "broken link" if child.is_symlink() else "cannot be read"
                yield Skipped(_readable(name), f"{what}: {error.strerror}")
                continue
            if stat.S_ISDIR(status.st_mode):
                if child.name.startswith(".") or child.name.lower() in _JUNK_FOLDERS:
                    yield Skipped(_readable(name), "hidden folder: not entered")
                elif _identity(status) in entered:
                    yield Skipped(_readable(name), "folder entered already: linked twice")
                else:
                    entered.add(_identity(status))
                    folders.append((name + "/", child.path))
            elif not stat.S_ISREG(status.st_mode):
                yield Skipped(_readable(name), "not a regular file: a pipe, socket or device")
            elif not _is_junk(child):
                yield FileEntry(_readable(name), _stamp_of(status), child.path)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_junk(child: os.DirEntry[str]) -> bool:
    if not child.name.startswith(".") and child.name.lower() not in _JUNK:
        return False
    try:
        with Path(child.path).open("rb") as file:
            return sniff(file.read(PREFIX_BYTES)) is None
    except OSError:
        return True


def _readable(name: str) -> str:
    """A file's name for people and for JSON: bytes that are no UTF-8 come out as escapes."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _stamp(path: Path) -> str:
    try:
        return _stamp_of(path.stat())
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error


def _stamp_of(status: os.stat_result) -> str:
    # ctime too: it also moves when a tool rewrites a file and restores its mtime, or on chmod
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
