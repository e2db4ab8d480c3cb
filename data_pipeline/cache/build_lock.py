"""One builder of a cache at a time, and nothing half-built under a final name."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_pipeline.durable import move_folder
from data_pipeline.errors import InputError

_STAGING = ".building"
_LOCK = ".lock"


@contextmanager
def build_lock(path: Path) -> Iterator[None]:
    """Hold the lock of the folder `path`; wait while another process or thread holds it.

    The lock is the kernel's, on a file beside the folder, so it ends with its owner, even by
    SIGKILL. (flock(2); not on Windows.)

    Raises:
        InputError: the file system has no locks, or cannot be written.
    """
    lock = path.with_name(path.name + _LOCK)
    while True:
        try:
            file = lock.open("w")
        except OSError as error:
            raise _unusable(path.parent, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                raise _unusable(path.parent, error) from error
            if not _is_still(lock, file.fileno()):
                continue  # its last owner has removed it: this lock is no longer the lock
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


@contextmanager
def staging_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to build in; whatever is left of it at the end is removed.

    The caller holds the lock of `path`, and moves the folder away with `publish`.
    """
    staging = path.with_name(path.name + _STAGING)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def publish(staging: Path, path: Path) -> None:
    """Give a finished folder its final name, durable; what stood there before is removed."""
    shutil.rmtree(path, ignore_errors=True)
    move_folder(staging, path)


def clear_abandoned(cache_dir: Path) -> None:
    """Remove the staging folders of builders that are dead."""
    for staging in cache_dir.glob("*" + _STAGING):
        lock = staging.with_name(staging.name.removesuffix(_STAGING) + _LOCK)
        with lock.open("w") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, file.fileno()):
                shutil.rmtree(staging, ignore_errors=True)
                lock.unlink(missing_ok=True)


def _unusable(cache_dir: Path, error: OSError) -> InputError:
    return InputError(
        f"the cache directory must be writable and its file system have locks, but '{cache_dir}' "
        f"is not so ({error.strerror}): name another one in CHROMATUNE_CACHE"
    )


def _is_still(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
