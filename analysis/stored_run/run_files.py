"""A run's files, on this machine or on remote storage (any URI that Arrow's filesystems know).

Credentials in an address are used and forgotten, as those of databases are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from analysis.stored_run.run_folder_error import RunFolderError

#: what Arrow reads from an address and nobody else should
_SECRETS = ("access_key", "secret_key", "session_token", "access_token", "account_key", "sas_token")


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


def open_file_system(address: str) -> tuple[Any, str]:
    """Arrow's file system behind a URI or an absolute folder, and the path there.

    Raises OSError, ValueError or errors of Arrow's own (NotImplementedError among them).
    """
    from pyarrow.fs import FileSystem

    opened: tuple[Any, str] = FileSystem.from_uri(
        address if "://" in address else Path(address).as_posix()
    )
    return opened


def without_credentials(address: str) -> str:
    """The address as it may be shown and stored."""
    parts = urlsplit(address)
    if not parts.scheme:
        return address
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in _SECRETS]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query, safe=":/"), ""))


class RemoteFolder:
    """A folder behind a URI, such as s3://bucket/runs/NAME or gs://..., read through Arrow."""

    def __init__(self, uri: str) -> None:
        #: without keys and passwords, for messages and reports
        self.location = without_credentials(uri).partition("?")[0]
        try:
            self._filesystem, self._root = open_file_system(uri)
        except (ValueError, OSError, NotImplementedError) as error:
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
