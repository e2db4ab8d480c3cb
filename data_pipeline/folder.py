"""A folder of photos, scanned by content."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.errors import InputError
from data_pipeline.listing import Listing, PhotoEntry, Skipped
from data_pipeline.photo import PhotoError, PhotoHeader, RGBArray, decode_photo, read_header


@dataclass(frozen=True)
class FileContent:
    """The bytes of a photo file."""

    data: bytes

    @property
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
    """A photo file."""

    name: str
    stamp: str
    path: str

    def read(self) -> FileContent:
        """Read the file, if it is still the one that was listed."""
        try:
            with Path(self.path).open("rb") as file:
                if _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise PhotoError("changed while the folder was being read")
                return FileContent(file.read())
        except OSError as error:
            raise PhotoError(f"cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class FolderSource:
    """All photos in a folder and the folders below it."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's absolute path."""
        return str(self.path.absolute())

    def list_photos(self) -> Listing:
        """List the folder's photos; see `PhotoSource`."""
        if not self.path.is_dir():
            raise InputError(
                f"--images must name an existing folder, but got '{self.path}': check the path"
            )
        entries: list[PhotoEntry] = []
        skipped: list[Skipped] = []
        for directory, folders, files in os.walk(self.path):
            folders.sort()
            for file in sorted(files):
                path = Path(directory, file)
                name = path.relative_to(self.path).as_posix()
                entries.append(FileEntry(name, _stamp(path.stat()), str(path)))
        if not entries:
            raise InputError(
                f"--images must name a folder with photos, but '{self.path}' has none: "
                "name another folder"
            )
        return Listing(entries, skipped)


def _stamp(status: os.stat_result) -> str:
    # ctime too: it also moves when a tool rewrites a file and restores its mtime, or on chmod
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
