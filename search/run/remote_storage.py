"""A place for copies of runs: a folder that others see, or a bucket (any URI that Arrow writes)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import TypeVar

from analysis.stored_run.run_files import open_file_system, without_credentials
from data_pipeline.errors import InputError

_T = TypeVar("_T")


class RemoteStorageError(Exception):
    """The place did not take or give a file; the message is one line."""


class RemoteStorage:
    """The folder of one run in a place; all methods raise RemoteStorageError."""

    def __init__(self, address: str, run_name: str) -> None:
        self._filesystem, root = _one_line(open_file_system, address)
        self._root = f"{root.rstrip('/')}/{run_name}"
        # Elsewhere a file appears when it is whole; here it is renamed when it is.
        self._renames = self._filesystem.type_name in ("local", "hdfs")
        self.location = location_of(address, run_name)

    def holds(self, name: str) -> bool:
        """Whether there is a file of that name."""
        from pyarrow.fs import FileType

        info = _one_line(self._filesystem.get_file_info, f"{self._root}/{name}")
        return bool(info.type == FileType.File)

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Time (in ns) and size of all files that are there, by name."""
        from pyarrow.fs import FileSelector

        selector = FileSelector(self._root, allow_not_found=True, recursive=True)
        found = _one_line(self._filesystem.get_file_info, selector)
        skip = len(self._root) + 1
        return {info.path[skip:]: (info.mtime_ns or 0, info.size) for info in found if info.is_file}

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole or not at all."""
        _one_line(self._write, f"{self._root}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove a file."""
        _one_line(self._filesystem.delete_file, f"{self._root}/{name}")

    def _write(self, path: str, content: bytes) -> None:
        if not self._renames:
            with self._filesystem.open_output_stream(path) as stream:
                stream.write(content)
            return
        self._filesystem.create_dir(path.rpartition("/")[0], recursive=True)
        temporary = f"{path}.{secrets.token_hex(4)}.tmp"
        try:
            with self._filesystem.open_output_stream(temporary) as stream:
                stream.write(content)
            self._filesystem.move(temporary, path)
        except BaseException:
            if self._filesystem.get_file_info(temporary).is_file:
                self._filesystem.delete_file(temporary)
            raise


def location_of(address: str, run_name: str) -> str:
    """The address of a run in a place, as `chromatune leaderboard` takes it; no credentials."""
    bare = without_credentials(address)
    path, mark, query = bare.partition("?")
    return f"{path.rstrip('/')}/{run_name}{mark}{query}"


def open_remote_storage(address: str, run_name: str, *, new: bool) -> RemoteStorage:
    """Open a place and try it.

    Raises InputError when nothing can be written there, or when a `new` run's name is taken.
    """
    try:
        place = RemoteStorage(address, run_name)
        taken = new and place.holds("run.json")
        if not taken:
            place.write(".probe", b"")
            place.remove(".probe")
    except RemoteStorageError as error:
        raise InputError(
            f"--storage must be a place that can be written, but {without_credentials(address)}: "
            f"{error}"
        ) from error
    if taken:
        raise InputError(
            f"a new run must have a name that is free in its --storage, but {place.location} "
            "exists; use another --name"
        )
    return place


def _one_line(action: Callable[..., _T], *arguments: object) -> _T:
    try:
        return action(*arguments)
    # Arrow's errors are OSError, ValueError and some of its own (ArrowNotImplementedError).
    except Exception as error:
        text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
        raise RemoteStorageError(text[:200]) from error
