"""Where a trial works: in the run's folder, or on a machine that does not see it.

There it works in a folder of its own, with the photo cache of that machine, and the file server
(`search.tune.file_server`) sends and receives its files.
"""

from __future__ import annotations

import errno
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_pipeline.cache.build import default_cache_dir
from data_pipeline.errors import InputError
from models.beginnings.folder_store import FolderStore
from models.beginnings.shared_epoch import EpochStore
from models.file_names import PROGRESS
from models.training.epoch_progress import EpochProgress, ProgressFile
from search.run.directory import BEGINNINGS
from search.run.storage_errors import SearchHaltedError, describe, halts
from search.tune.cache_transfer import bring_cache
from search.tune.cluster.compatibility import check_versions, own_versions
from search.tune.file_server import FILES, FileServerAddress, Halt


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where the files of a run are on the driver's machine."""

    #: the folder that holds a folder for each trial
    trials: str
    #: the photo cache for each image size
    caches: Mapping[int, str]
    #: through which other machines of a cluster reach them
    server: FileServerAddress | None = None


@dataclass(frozen=True, kw_only=True)
class StorageFailure:
    """What a failure to read or write means for a search."""

    reason: str
    #: whether all trials would meet it: the search halts, and does not count the trial as failed
    halts: bool


#: between two messages of a trial on another machine that say how far its epoch has come
PROGRESS_EVERY_SEC = 5.0


class TrialDirectory:
    """The run's own folder, which this machine has."""

    def __init__(self, files: RunFiles, trial_id: str) -> None:
        self._files = files
        self.trial_id = trial_id

    @property
    def folder(self) -> Path:
        """Where the trial's files go."""
        return Path(self._files.trials) / self.trial_id

    @property
    def beginnings(self) -> EpochStore:
        """Where epochs of pre-training are that trials share."""
        return FolderStore(Path(self._files.trials).with_name(BEGINNINGS))

    def cache_path(self, image_size: int) -> str:
        """Where the photos are."""
        return self._files.caches[image_size]

    def open(self) -> None:
        """Have there what earlier epochs left."""

    def progress_file(self) -> Callable[[EpochProgress], None]:
        """What shows a step of the trial to the driver's machine when it is called."""
        return ProgressFile(self.folder / PROGRESS)

    def deliver(self) -> None:
        """See to it that the run's folder holds what the trial has written."""

    def explain(self, error: OSError) -> StorageFailure:
        """Whether a failure to read or write ends the trial or the whole search, and why."""
        if halts(error, self.folder.parent):
            return StorageFailure(reason=describe(error), halts=True)
        return StorageFailure(
            reason=f"{type(error).__name__}: {error}".splitlines()[0], halts=False
        )

    def close(self) -> None:
        """Leave nothing behind that is not needed."""


class LocalTrialDirectory(TrialDirectory):
    """The driver's own machine in a cluster: nothing is copied."""

    def open(self) -> None:
        """Let nobody else write files of this trial any more."""
        _ask(_server(self._files).claim.remote(self.trial_id, secrets.token_hex(8)))


class RemoteTrialDirectory(TrialDirectory):
    """A machine that shares no folder with the driver's."""

    def __init__(self, files: RunFiles, trial_id: str) -> None:
        super().__init__(files, trial_id)
        self._owner = secrets.token_hex(8)
        self._scratch = tempfile.TemporaryDirectory(prefix=f"chromatune-{trial_id}-")
        self._sent: dict[str, tuple[int, int]] = {}

    @property
    def folder(self) -> Path:
        """A folder of this machine that ends with the trial."""
        return Path(self._scratch.name)

    @property
    def beginnings(self) -> EpochStore:
        """Those of the run, through the file server."""
        return _RemoteStore(self._files)

    def cache_path(self, image_size: int) -> str:
        """The cache of this machine; it is brought here when it is missing."""
        assert self._files.server is not None
        return _bring(self._files.server.name, image_size)

    def open(self) -> None:
        """Fetch what the run's folder has of this trial."""
        server = _server(self._files)
        for name in _ask(server.claim.remote(self.trial_id, self._owner)):
            (self.folder / name).write_bytes(_ask(server.read.remote(self.trial_id, name)))
            self._sent[name] = _stamp(self.folder / name)

    def progress_file(self) -> Callable[[EpochProgress], None]:
        """Send a step when the last one that was sent is some seconds old."""
        server, sent = _server(self._files), -PROGRESS_EVERY_SEC

        def send(progress: EpochProgress) -> None:
            nonlocal sent
            if (now := time.monotonic()) - sent >= PROGRESS_EVERY_SEC:
                sent = now
                # Nobody waits for the answer: training goes on while the driver is busy.
                server.write.remote(self.trial_id, self._owner, PROGRESS, progress.to_json())

        return send

    def deliver(self) -> None:
        """Send what has changed since the last time."""
        server = _server(self._files)
        for name in FILES:
            path = self.folder / name
            if not path.is_file() or self._sent.get(name) == (stamp := _stamp(path)):
                continue
            _ask(server.write.remote(self.trial_id, self._owner, name, path.read_bytes()))
            self._sent[name] = stamp

    def explain(self, error: OSError) -> StorageFailure:
        """A disk of this machine ends the trial, not the search: others go on elsewhere."""
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = (
                f"the disk of {socket.gethostname()} is full ({error.filename or self.folder}); "
                "free some space there, or name another disk in TMPDIR"
            )
        return StorageFailure(reason=reason, halts=False)

    def close(self) -> None:
        """Remove the folder."""
        self._scratch.cleanup()


class _RemoteStore:
    """Beginnings on the driver's machine (see `models.beginnings.shared_epoch.EpochStore`)."""

    def __init__(self, files: RunFiles) -> None:
        self._server = _server(files)

    def read(self, name: str) -> bytes | None:
        content: bytes | None = _ask(self._server.read_beginning.remote(name))
        return content

    def write(self, name: str, content: bytes) -> None:
        _ask(self._server.write_beginning.remote(name, content))


def find_trial_directory(files: RunFiles, trial_id: str) -> TrialDirectory:
    """The directory of a trial on the machine where this runs.

    Raises SearchHaltedError on a machine of a cluster whose versions are not the driver's.
    """
    server = files.server
    if server is None:
        return TrialDirectory(files, trial_id)
    try:
        check_versions(server.versions, {socket.gethostname(): own_versions()})
    except InputError as error:
        # The machine joined later. If its trials only failed, it would use up all that are left.
        raise SearchHaltedError(str(error)) from error
    import ray

    here = ray.get_runtime_context().get_node_id()
    return (LocalTrialDirectory if here == server.node else RemoteTrialDirectory)(files, trial_id)


@lru_cache(maxsize=8)
def _bring(server_name: str, image_size: int) -> str:
    """Once a process: to look again would be to hash all photos again."""
    import ray

    server = ray.get_actor(server_name)

    def fetch(name: str, number: int) -> bytes:
        content: bytes = _ask(server.chunk.remote(image_size, name, number))
        return content

    manifest = _ask(server.manifest.remote(image_size))
    return str(bring_cache(manifest, default_cache_dir(), fetch))


def _server(files: RunFiles) -> Any:
    import ray

    assert files.server is not None
    return ray.get_actor(files.server.name)


def _ask(answer: Any) -> Any:
    import ray

    result = ray.get(answer)
    if isinstance(result, Halt):
        raise SearchHaltedError(result.reason)
    return result


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    # Files are replaced, never rewritten: each version has an inode and a time of its own.
    return status.st_ino, status.st_mtime_ns
