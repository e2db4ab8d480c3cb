"""A photo cache travels from the driver's machine to another one: in chunks, checked by hash.

Chunk by chunk, so that neither side needs room for more than a few of them, however small the
object store of a machine is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.cache.build import check_space, check_writable
from data_pipeline.cache.build_lock import build_lock, clear_abandoned, publish, staging_folder
from data_pipeline.cache.reader import CROPS, HEADER, PHOTOS, PIXELS, SKIPPED, open_cache
from data_pipeline.errors import InputError

CHUNK_BYTES = 16 * 2**20
#: a chunk that arrives damaged is asked for so many times
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a cache consists of: its name, its key and the hashes of the chunks of its files."""

    folder: str
    key: str
    chunks: dict[str, tuple[str, ...]]
    n_bytes: int


def describe_cache(path: Path) -> Manifest:
    """Read a cache once and list its chunks; raises InputError when it is damaged."""
    cache = open_cache(path)
    larger = () if cache.crops is None else (CROPS,)
    files = (PIXELS, *larger, PHOTOS, SKIPPED, HEADER)
    return Manifest(
        folder=path.name,
        key=cache.key,
        chunks={name: tuple(map(_hash, _chunks_of(path / name))) for name in files},
        n_bytes=sum((path / name).stat().st_size for name in files),
    )


def read_chunk(path: Path, manifest: Manifest, name: str, number: int) -> bytes:
    """A chunk of the cache in `path`; raises InputError when it is not any more what it was."""
    try:
        with (path / name).open("rb") as file:
            file.seek(number * CHUNK_BYTES)
            content = file.read(CHUNK_BYTES)
    except OSError as error:
        raise _changed(path / name, error.strerror or str(error)) from error
    if _hash(content) != manifest.chunks[name][number]:
        raise _changed(path / name, "its hash differs")
    return content


def bring_cache(manifest: Manifest, cache_dir: Path, fetch: Callable[[str, int], bytes]) -> Path:
    """Return the folder of a cache on this machine; its chunks are fetched unless it is there.

    Of several processes that need it, one fetches and the others wait. It appears whole, with all
    hashes right, or not at all.

    Args:
        manifest: what to bring.
        cache_dir: where caches lie on this machine.
        fetch: returns a chunk by the name of its file and its number.

    Raises InputError when the cache directory cannot be written or has no room, or when a chunk
    arrives damaged again and again.
    """
    check_writable(cache_dir)
    path = cache_dir / manifest.folder
    if _is_there(path, manifest):
        return path
    with build_lock(path):
        if _is_there(path, manifest):  # another process brought it meanwhile
            return path
        clear_abandoned(cache_dir)
        check_space(cache_dir, manifest.n_bytes)
        with staging_folder(path) as staging:
            for name, hashes in manifest.chunks.items():
                with (staging / name).open("wb") as file:
                    for number, expected in enumerate(hashes):
                        file.write(_fetch_right(fetch, name, number, expected))
            publish(staging, path)
    return path


def _is_there(path: Path, manifest: Manifest) -> bool:
    """Whether the cache lies here; names of photos may differ, pixels and contents may not."""
    try:
        cache = open_cache(path)
        whole = cache.key == manifest.key and len(cache.hashes) == len(cache)
        pixels = manifest.chunks.keys() & {PIXELS, CROPS}
        return whole and all(
            tuple(map(_hash, _chunks_of(path / name))) == manifest.chunks[name] for name in pixels
        )
    except (InputError, OSError, KeyError, TypeError):
        return False


def _fetch_right(
    fetch: Callable[[str, int], bytes], name: str, number: int, expected: str
) -> bytes:
    for _ in range(TRIES):
        content = fetch(name, number)
        if _hash(content) == expected:
            return content
    raise InputError(
        f"photos must arrive as they were sent, but chunk {number} of {name} has another hash "
        f"after {TRIES} tries; check the network and the memory of this machine"
    )


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while content := file.read(CHUNK_BYTES):
            yield content


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _changed(path: Path, what: str) -> InputError:
    return InputError(
        f"the photo cache must stay as it was while a search runs, but {path} did not ({what}); "
        "delete the cache, it is built again when the search is resumed"
    )
