"""The file server: an actor on the driver's machine that gives other machines its files.

It sends the photo cache and receives what trials write, so that the run's folder holds all of a
search although no other machine sees that folder. Only the files that a trial has, up to a size for
each, are accepted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from data_pipeline.durable import remove_leftovers, replace_file
from data_pipeline.errors import InputError
from models.beginnings.folder_store import FolderStore
from models.file_names import CHECKPOINT, ERROR, OF_TRAINING, ORIGINALS, PROGRESS, SAMPLES
from search.run.directory import BEGINNINGS
from search.run.storage_errors import describe
from search.tune.cache_transfer import Manifest, describe_cache, read_chunk
from search.tune.cluster.compatibility import own_versions

if TYPE_CHECKING:
    from ray.actor import ActorHandle

#: what a trial may send, in the order in which it is sent, and how many bytes it may have
FILES = {
    **dict.fromkeys(OF_TRAINING, 2**31),
    SAMPLES: 2**26,
    ORIGINALS: 2**26,
    ERROR: 2**20,
    PROGRESS: 2**12,
}

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class FileServerAddress:
    """Where trials find the file server, and what their machine must have like its own."""

    #: of the actor
    name: str
    #: Ray's id of the machine
    node: str
    #: of Python and packages, see `cluster.compatibility`
    versions: Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class ServedCache:
    """A photo cache of the driver's machine."""

    path: str
    manifest: Manifest


@dataclass(frozen=True)
class Halt:
    """An answer instead of a result: why the search cannot go on."""

    reason: str


def _or_halt(
    method: Callable[Concatenate[FileServer, _P], _T],
) -> Callable[Concatenate[FileServer, _P], _T | Halt]:
    # Exceptions would arrive on the other side as Ray's, with a traceback and without their errno.
    @wraps(method)
    def answer(self: FileServer, *args: _P.args, **kwargs: _P.kwargs) -> _T | Halt:
        try:
            return method(self, *args, **kwargs)
        except InputError as error:
            return Halt(str(error))
        except OSError as error:
            return Halt(describe(error))

    return answer  # type: ignore[return-value]


class FileServer:
    """Reads caches and reads and writes files of trials, for whoever asks through Ray.

    Args:
        trials: the folder of the run that holds a folder for each trial.
        caches: the photos for each image size.
    """

    def __init__(self, trials: str, caches: Mapping[int, ServedCache]) -> None:
        self._trials = Path(trials)
        self._caches = caches
        self._owners: dict[str, str] = {}
        self._beginnings = FolderStore(self._trials.with_name(BEGINNINGS))

    def manifest(self, image_size: int) -> Manifest:
        """What the cache for an image size consists of."""
        return self._caches[image_size].manifest

    @_or_halt
    def chunk(self, image_size: int, name: str, number: int) -> bytes:
        """A chunk of that cache."""
        cache = self._caches[image_size]
        return read_chunk(Path(cache.path), cache.manifest, name, number)

    @_or_halt
    def claim(self, trial_id: str, owner: str) -> list[str]:
        """Make `owner` the only one who may send files of a trial; return what there is of it.

        A process that was given up, but still runs on a machine that was cut off, can so not
        overwrite what its successor writes.
        """
        folder = self._folder(trial_id)
        self._owners[trial_id] = owner
        remove_leftovers(folder)  # of a server that was killed while it wrote
        return [name for name in OF_TRAINING if (folder / name).is_file()]

    @_or_halt
    def read(self, trial_id: str, name: str) -> bytes:
        """A file of a trial."""
        return (self._folder(trial_id) / _checked(name)).read_bytes()

    @_or_halt
    def write(self, trial_id: str, owner: str, name: str, content: bytes) -> None:
        """Put a file into the folder of a trial, whole or not at all; durable.

        Raises ValueError for names, sizes and senders that are not allowed.
        """
        path = self._folder(trial_id) / _checked(name)
        if len(content) > FILES[name]:
            raise ValueError(f"{name} must have at most {FILES[name]} bytes, not {len(content)}")
        if self._owners.setdefault(trial_id, owner) != owner:
            raise ValueError(f"trial {trial_id} goes on elsewhere: its files are not taken here")
        # How far an epoch has come is of no use after a power cut.
        replace_file(path, content, durable=name != PROGRESS)

    @_or_halt
    def read_beginning(self, name: str) -> bytes | None:
        """An epoch of pre-training that trials share, None if nobody has trained it."""
        return self._beginnings.read(_checked_epoch(name))

    @_or_halt
    def write_beginning(self, name: str, content: bytes) -> None:
        """Keep such an epoch. From whom it comes does not matter: it is the same from all.

        Raises ValueError for names and sizes that are not allowed.
        """
        if len(content) > FILES[CHECKPOINT]:
            raise ValueError(f"{name} must have at most {FILES[CHECKPOINT]} bytes")
        self._beginnings.write(_checked_epoch(name), content)

    def _folder(self, trial_id: str) -> Path:
        if not re.fullmatch(r"[0-9]{4,12}", trial_id):
            raise ValueError(f"a trial is named by its number, not {trial_id!r}")
        return self._trials / trial_id


def start_file_server(
    trials: Path, caches: Mapping[int, Path]
) -> tuple[ActorHandle[FileServer], FileServerAddress]:
    """Start the file server on this machine.

    Returns its handle, with which it ends, and its address.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    node: str = ray.get_runtime_context().get_node_id()
    name = f"chromatune-files-{secrets.token_hex(8)}"
    served = {
        size: ServedCache(path=str(path.resolve()), manifest=describe_cache(path.resolve()))
        for size, path in caches.items()
    }
    handle: Any = (
        ray.remote(FileServer)
        .options(
            name=name,
            num_cpus=0,
            max_concurrency=4,
            # It knows nothing that its arguments and the folder do not say.
            max_restarts=-1,
            max_task_retries=3,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        .remote(str(trials.resolve()), served)
    )
    ray.get(handle.manifest.remote(next(iter(caches))))
    return handle, FileServerAddress(name=name, node=node, versions=own_versions())


def _checked_epoch(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}/epoch-[0-9]{3,9}\.pt", name):
        raise ValueError(f"an epoch of a beginning is named KEY/epoch-008.pt, not {name!r}")
    return name


def _checked(name: str) -> str:
    if name not in FILES:
        raise ValueError(f"files of a trial must be {', '.join(FILES)}, not {name!r}")
    return name
