"""Files that are whole or absent, and on the disk: every write that must survive a power cut.

A file's content is on the disk once the file was synced, and its name once its folder was. Until
then a power cut may keep any part of what was written and any of the names.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_SUFFIX = ".tmp"
#: what file systems answer that sync no folders, as some that reach other machines
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)


def append(path: Path, content: bytes) -> None:
    """Append to a file, which is made if need be; durable.

    A power cut or a kill before the end leaves a part of `content`, or none.
    """
    new = not path.exists()
    with path.open("ab", buffering=0) as file:
        rest = memoryview(content)
        while rest:  # once, unless the disk is full
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file whole; see `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def replace_files(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files of a folder, each whole, in their order; durable at the cost of one file more."""
    with ExitStack() as renames:
        for name, content in reversed(contents.items()):
            temporary = renames.enter_context(_temporary(folder / name))
            temporary.write_bytes(content)
            sync_file(temporary)
    sync_folder(folder)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary name, in the folder of `path`, to write to; it becomes `path` at the end.

    So `path` is whole at any moment, the old file or the new one, and stays what it was when the
    context is left by an exception. Without `durable` nothing is synced: after a power cut the file
    may be empty. That is for what is made again in a moment.
    """
    with _temporary(path) as temporary:
        yield temporary
        if durable:
            sync_file(temporary)
    if durable:
        sync_folder(path.parent)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    # A part of the name is for people; all of it may be as long as names can be.
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; nobody may be writing there."""
    for leftover in folder.glob(f"*{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, as far as they are missing; durable."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)


def move_folder(folder: Path, path: Path) -> None:
    """Give a folder its final name, which must be free, with all that is in it; durable."""
    for root, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(root, name))
        sync_folder(Path(root))
    folder.rename(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk, where its file system can do that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
