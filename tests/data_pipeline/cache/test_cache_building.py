"""Building a photo cache again, by several processes, and after kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources import content_hashes
from data_pipeline.sources.folder import FileEntry
from tests.data_pipeline.made_up import paint

CHECKOUT = Path(__file__).resolve().parents[3]


def leftovers(cache_dir: Path) -> list[str]:
    return [path.name for path in cache_dir.iterdir() if path.suffix in (".building", ".lock")]


def contents(cache: PhotoCache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.path.iterdir()}


# --- what is remembered


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reads: list[str] = []
    read = FileEntry.read

    def counted(entry: FileEntry):
        reads.append(entry.name)
        return read(entry)

    monkeypatch.setattr(FileEntry, "read", counted)
    return reads


def test_unchanged_photos_are_not_read_again(make_photos, cache_dir: Path, monkeypatch) -> None:
    folder = make_photos(range(4))
    (folder / "notes.txt").write_text("no photo")
    first = build_cache(folder, image_size=32, cache_dir=cache_dir)
    reads = count_reads(monkeypatch)
    assert build_cache(folder, image_size=32, cache_dir=cache_dir).path == first.path
    assert reads == []
    Image.fromarray(paint(77)).save(folder / "photo-001.png")
    changed = build_cache(folder, image_size=32, cache_dir=cache_dir)
    assert changed.path != first.path
    assert set(reads) == {"photo-001.png"}


def test_a_new_photo_does_not_cost_the_others_a_decoding(
    make_photos, cache_dir: Path, tmp_path: Path, monkeypatch
) -> None:
    folder = make_photos(range(4))
    Image.new("RGB", (50, 50), "grey").save(folder / "grey.png")
    build_cache(folder, image_size=32, cache_dir=cache_dir)
    Image.fromarray(paint(77)).save(folder / "new.png")
    reads = count_reads(monkeypatch)
    grown = build_cache(folder, image_size=32, cache_dir=cache_dir)
    assert reads == ["new.png", "new.png"]  # to hash it, then to convert it
    fresh = build_cache(folder, image_size=32, cache_dir=tmp_path / "fresh")
    assert contents(grown) == contents(fresh)


def test_a_damaged_memory_costs_only_time(make_photos, cache_dir: Path) -> None:
    folder = make_photos(range(3))
    first = build_cache(folder, image_size=32, cache_dir=cache_dir)
    (memory,) = (cache_dir / "sources").iterdir()
    memory.write_bytes(memory.read_bytes()[:-40] + b"\xff\n[1, 2]\nnull\n")
    assert build_cache(folder, image_size=32, cache_dir=cache_dir).path == first.path


def test_a_file_that_could_not_be_read_is_tried_again(
    make_photos, cache_dir: Path, monkeypatch
) -> None:
    folder = make_photos(range(3))
    read = FileEntry.read

    def refuse(entry: FileEntry):
        if entry.name == "photo-001.png":
            raise content_hashes.PhotoError("cannot be read: Input/output error")
        return read(entry)

    monkeypatch.setattr(FileEntry, "read", refuse)
    cache = build_cache(folder, image_size=32, cache_dir=cache_dir)
    assert len(cache) == 2
    assert [row.reason for row in cache.skipped] == ["cannot be read: Input/output error"]
    monkeypatch.setattr(FileEntry, "read", read)
    assert len(build_cache(folder, image_size=32, cache_dir=cache_dir)) == 3


def test_a_photo_that_vanishes_meanwhile_is_left_out_and_missed_next_time(
    make_photos, cache_dir: Path
) -> None:
    folder = make_photos(range(4))
    photo = folder / "photo-002.png"
    data = photo.read_bytes()

    def remove(done: int, total: int) -> None:
        photo.unlink(missing_ok=True)

    cache = build_cache(folder, image_size=32, cache_dir=cache_dir, progress=remove, workers=1)
    assert len(cache) == 3
    assert [row.name for row in cache.skipped] == ["photo-002.png"]
    photo.write_bytes(data)
    assert len(build_cache(folder, image_size=32, cache_dir=cache_dir)) == 4
    assert leftovers(cache_dir) == []


# --- several builders

BUILDER = """
import sys, time
from pathlib import Path
from data_pipeline.cache.build import build_cache

def stall(done, total):
    if done == total - 1:
        print("stalled", flush=True)
        time.sleep(600)

build_cache(Path(sys.argv[1]), image_size=32, cache_dir=Path(sys.argv[2]), progress=stall)
"""


@pytest.fixture
def stalled_builder(make_photos, cache_dir: Path):
    """A process that has begun to build a cache of the folder and stalls."""
    folder = make_photos(range(3))
    with subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(folder), str(cache_dir)],
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stalled\n"
        yield folder, process
        process.kill()


def test_the_second_builder_waits_and_takes_over_from_a_killed_one(
    stalled_builder, cache_dir: Path
) -> None:
    folder, process = stalled_builder
    assert {Path(name).suffix for name in leftovers(cache_dir)} == {".building", ".lock"}
    assert not list(cache_dir.glob("32-*/cache.json"))
    built: list[PhotoCache] = []
    second = threading.Thread(
        target=lambda: built.append(build_cache(folder, image_size=32, cache_dir=cache_dir))
    )
    second.start()
    second.join(0.3)
    assert second.is_alive()  # it waits for the lock
    os.kill(process.pid, signal.SIGKILL)
    second.join(30)
    assert [len(cache) for cache in built] == [3]
    assert leftovers(cache_dir) == []


def test_what_a_killed_builder_left_is_cleared_by_the_next_of_any_cache(
    stalled_builder, make_photos, cache_dir: Path
) -> None:
    _, process = stalled_builder
    other = make_photos(range(5, 8), folder="other")
    build_cache(other, image_size=32, cache_dir=cache_dir)
    assert len(leftovers(cache_dir)) == 2  # its owner is alive
    process.kill()
    process.wait()
    make_photos(range(9, 12), folder="other")
    build_cache(other, image_size=32, cache_dir=cache_dir)
    assert leftovers(cache_dir) == []


def test_builders_at_the_same_time_all_end_well(make_photos, cache_dir: Path) -> None:
    folder = make_photos(range(6))
    copies = make_photos(range(6), folder="copies")
    barrier = threading.Barrier(6)
    built: list[PhotoCache] = []

    def build(source: Path) -> None:
        barrier.wait()
        built.append(build_cache(source, image_size=32, cache_dir=cache_dir, workers=1))

    threads = [threading.Thread(target=build, args=(s,)) for s in (folder, copies) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(built) == 6
    assert len({cache.path for cache in built}) == 1
    assert leftovers(cache_dir) == []


def test_an_interrupted_builder_leaves_nothing(make_photos, cache_dir: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total - 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_cache(make_photos(range(6)), image_size=32, cache_dir=cache_dir, progress=interrupt)
    assert leftovers(cache_dir) == []
    assert not list(cache_dir.glob("32-*"))


def test_torch_is_not_needed_to_build() -> None:
    code = (
        "import sys; import data_pipeline.cache.build, data_pipeline.sources.by_name; "
        "import data_pipeline.sources.inspection; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT)
