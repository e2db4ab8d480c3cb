"""One builder of a cache at a time, and nothing half-built under a final name."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staging_folder(path: Path) -> Iterator[Path | None]:
    """Give an empty folder that takes the name `path` at the end, or None if `path` is there.

    Waits while another process builds the same; the lock is the kernel's, so it ends with its
    owner, also by SIGKILL. On an exception nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
            return
        staging = path.with_name(path.name + ".building")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            yield staging
            staging.replace(path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
