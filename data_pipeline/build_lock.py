"""One builder of a cache at a time, and nothing half-built under a final name."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STAGING = ".building"
_LOCK = ".lock"


@contextmanager
def build_lock(path: Path) -> Iterator[None]:
    """Hold the lock of the folder `path`; wait while another process or thread holds it.

    The lock is the kernel's, on a file beside the folder, so it ends with its owner, even by
    SIGKILL. (flock(2); not on Windows.)
    """
    lock = path.with_name(path.name + _LOCK)
    while True:
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(lock, file.fileno()):
                continue  # its last owner has removed it: this lock is no longer the lock
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


@contextmanager
def staging_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `path` at the end; on an exception nothing is left.

    The caller holds the lock of `path`. What stood under that name before is replaced.
    """
    staging = path.with_name(path.name + _STAGING)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
        shutil.rmtree(path, ignore_errors=True)
        staging.replace(path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def clear_abandoned(cache_dir: Path) -> None:
    """Remove the staging folders of builders that are dead."""
    for staging in cache_dir.glob("*" + _STAGING):
        lock = staging.with_name(staging.name.removesuffix(_STAGING) + _LOCK)
        with lock.open("w") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, file.fileno()):
                shutil.rmtree(staging, ignore_errors=True)
                lock.unlink(missing_ok=True)


def _is_still(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(lock.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
