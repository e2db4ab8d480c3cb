"""A run's files, on this machine or on remote storage (any URI that Arrow's filesystems know)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from analysis.stored_run.run_folder_error import RunFolderError


class Folder(Protocol):
    """Read access to the files of one folder."""

    location: str

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file by its relative name, or None where there is none."""


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            kind = "a file" if path.exists() else "missing"
            raise RunFolderError(
                f"RUN must be an existing folder such as runs/NAME, but {path} is {kind}"
            )
        self.path = path
        self.location = str(path)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file by its relative name, or None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise RunFolderError(
                f"files of a run must be readable, but {self.path / name} is not: {error.strerror}"
            ) from error

    def folders(self) -> list[str]:
        """Names of the folders directly inside, sorted."""
        return sorted(child.name for child in self.path.iterdir() if child.is_dir())


class RemoteFolder:
    """A folder behind a URI, such as s3://bucket/runs/NAME or gs://..., read through Arrow."""

    def __init__(self, uri: str) -> None:
        from pyarrow import ArrowInvalid
        from pyarrow.fs import FileSystem

        #: without keys and passwords, for messages and reports
        self.location = uri.partition("?")[0]
        if "@" in self.location:
            scheme, _, rest = self.location.partition("://")
            self.location = f"{scheme}://{rest.rpartition('@')[2]}"
        try:
            self._filesystem, self._root = FileSystem.from_uri(uri)
        except (ArrowInvalid, OSError, NotImplementedError) as error:
            raise RunFolderError(
                f"a remote RUN must be a URI that Arrow can open (file, s3, gs, hdfs, abfs), "
                f"but got {self.location}: {' '.join(str(error).split())[:160]}"
            ) from error

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file by its relative name, or None where there is none."""
        try:
            with self._filesystem.open_input_stream(f"{self._root}/{name}") as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunFolderError(
                f"files of a run must be readable, but {self.location}/{name} is not: "
                f"{' '.join(str(error).split())[:160]}"
            ) from error


def open_folder(path: Path | str) -> Folder:
    """Open a folder by its path or, when the text holds "://", by its URI."""
    if isinstance(path, str) and "://" in path:
        return RemoteFolder(path.rstrip("/"))
    return LocalFolder(Path(path))
