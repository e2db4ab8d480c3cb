"""Photos on their way to another machine, and files of trials on their way back. No Ray."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from data_pipeline.cache.build import build_cache
from data_pipeline.cache.reader import CROPS, PIXELS, open_cache
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import open_source
from models.training.epoch_progress import EpochProgress, read_progress
from search.tune import cache_transfer, trial_directory
from search.tune.cache_transfer import Manifest, bring_cache, describe_cache, read_chunk
from search.tune.file_server import FILES, FileServer, FileServerAddress, Halt, ServedCache
from search.tune.trial_directory import RemoteTrialDirectory, RunFiles, TrialDirectory

CHUNK = 10_000


@pytest.fixture(params=[False, True], ids=["whole", "crops"])
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    monkeypatch.setattr(cache_transfer, "CHUNK_BYTES", CHUNK)
    photos, home = open_source("synthetic:12"), tmp_path / "home"
    return build_cache(photos, image_size=32, crops=request.param, cache_dir=home).path


class _Line:
    """Carries chunks and counts them; the first ones may arrive damaged."""

    def __init__(self, source: Path, manifest: Manifest, *, damaged: int = 0) -> None:
        self.source, self.manifest, self.damaged = source, manifest, damaged
        self.asked: list[tuple[str, int]] = []

    def __call__(self, name: str, number: int) -> bytes:
        self.asked.append((name, number))
        content = read_chunk(self.source, self.manifest, name, number)
        if len(self.asked) <= self.damaged:
            return bytes([content[0] ^ 1]) + content[1:]
        return content


def test_a_cache_arrives_once_whatever_asks_for_it(source: Path, tmp_path: Path) -> None:
    manifest = describe_cache(source)
    line = _Line(source, manifest)
    there = tmp_path / "there"
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(bring_cache(manifest, there, line)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    n_pixels = 12 * 3 * 32 * 32
    assert len([name for name, _ in line.asked if name == PIXELS]) == -(-n_pixels // CHUNK)
    assert len(set(line.asked)) == len(line.asked)
    assert found == [there / source.name] * 4
    copy = open_cache(found[0])
    assert copy.hashes == open_cache(source).hashes
    assert (copy.pixels == open_cache(source).pixels).all()
    assert np.array_equal(copy.crops, open_cache(source).crops)
    assert [path.name for path in there.iterdir()] == [source.name]


def test_the_cache_of_the_driver_is_used_as_it_is(source: Path) -> None:
    def nothing(*_: object) -> bytes:
        raise AssertionError("nothing is fetched")

    assert bring_cache(describe_cache(source), source.parent, nothing) == source


@pytest.mark.parametrize("damage", ["flip", "cut", "rows", "header"])
def test_a_damaged_copy_is_replaced(source: Path, tmp_path: Path, damage: str) -> None:
    manifest = describe_cache(source)
    copy = tmp_path / "there" / source.name
    shutil.copytree(source, copy)
    if damage == "flip":
        # The larger photos, if it has some.
        flipped = copy / (CROPS if (copy / CROPS).exists() else PIXELS)
        content = bytearray(flipped.read_bytes())
        content[5000] ^= 1
        flipped.write_bytes(content)
    elif damage == "cut":
        (copy / PIXELS).write_bytes((copy / PIXELS).read_bytes()[:-1])
    elif damage == "rows":
        (copy / "photos.jsonl").write_text('{"name": 1}\n')
    else:
        (copy / "cache.json").write_text("[]")
    bring_cache(manifest, copy.parent, _Line(source, manifest))
    assert describe_cache(copy) == manifest


def test_a_damaged_chunk_is_asked_for_again_and_then_refused(source: Path, tmp_path: Path) -> None:
    manifest = describe_cache(source)
    there = tmp_path / "there"
    with pytest.raises(InputError, match=r"chunk 0 of photos\.u8 has another hash"):
        bring_cache(manifest, there, _Line(source, manifest, damaged=cache_transfer.TRIES))
    assert list(there.iterdir()) == []
    bring_cache(manifest, there, _Line(source, manifest, damaged=cache_transfer.TRIES - 1))
    assert describe_cache(there / source.name) == manifest


def test_a_full_disk_leaves_nothing_half(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = describe_cache(source)
    line = _Line(source, manifest)

    def full(name: str, number: int) -> bytes:
        if number == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return line(name, number)

    with pytest.raises(OSError, match="No space"):
        bring_cache(manifest, tmp_path / "there", full)
    assert list((tmp_path / "there").iterdir()) == []


@pytest.fixture
def server(source: Path, tmp_path: Path) -> FileServer:
    (tmp_path / "trials" / "0000").mkdir(parents=True)
    manifest = describe_cache(source)
    return FileServer(
        str(tmp_path / "trials"), {32: ServedCache(path=str(source), manifest=manifest)}
    )


def test_a_cache_that_changes_under_a_search_halts_it(server: FileServer, source: Path) -> None:
    assert server.chunk(32, PIXELS, 0) == (source / PIXELS).read_bytes()[:CHUNK]
    (source / PIXELS).write_bytes(bytes((source / PIXELS).stat().st_size))
    answer = server.chunk(32, PIXELS, 0)
    assert isinstance(answer, Halt)
    assert "must stay as it was" in answer.reason
    shutil.rmtree(source)
    assert isinstance(server.chunk(32, PIXELS, 0), Halt)


def test_files_of_a_trial_go_there_and_back(server: FileServer, tmp_path: Path) -> None:
    assert server.claim("0000", "a") == []
    for name in FILES:
        assert server.write("0000", "a", name, name.encode()) is None
    assert server.claim("0000", "b") == ["best.pt", "samples.png", "originals.png", "checkpoint.pt"]
    assert server.read("0000", "best.pt") == b"best.pt"
    # Who was given up is not heard any more; who takes over is.
    with pytest.raises(ValueError, match="goes on elsewhere"):
        server.write("0000", "a", "checkpoint.pt", b"old")
    server.write("0000", "b", "checkpoint.pt", b"new")
    folder = tmp_path / "trials" / "0000"
    assert (folder / "checkpoint.pt").read_bytes() == b"new"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_a_trial_on_another_machine_shows_its_steps(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = SimpleNamespace(remote=server.write)
    monkeypatch.setattr(trial_directory, "_server", lambda files: SimpleNamespace(write=write))
    place = RemoteTrialDirectory(RunFiles(trials=str(tmp_path), caches={}), "0000")
    show = place.progress_file()
    reached = EpochProgress(epoch=1, step=2, steps=9, reconstruction=0.5, adversarial=None)
    show(reached)
    show(replace(reached, step=3))  # not a message for each step
    assert read_progress(tmp_path / "trials" / "0000") == reached
    place.close()


@pytest.mark.parametrize(
    ("trial_id", "name"),
    [
        ("0000", "../0001/best.pt"),
        ("0000", "/etc/passwd"),
        ("0000", "run.json"),
        ("0000", ""),
        ("..", "best.pt"),
        ("0000/..", "best.pt"),
        ("", "best.pt"),
        ("0000\n", "best.pt"),
    ],
)
def test_other_names_do_not_pass(
    server: FileServer, tmp_path: Path, trial_id: str, name: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="trial"):
        server.write(trial_id, "a", name, b"")
    with pytest.raises(ValueError, match="trial"):
        server.read(trial_id, name)
    assert sorted(tmp_path.rglob("*")) == before


def test_larger_files_do_not_pass(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "error.txt", 3)
    server.write("0000", "a", "error.txt", b"abc")
    with pytest.raises(ValueError, match="at most 3 bytes, not 4"):
        server.write("0000", "a", "error.txt", b"abcd")


def test_a_full_disk_of_the_driver_halts(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.write("0000", "a", "checkpoint.pt", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = server.write("0000", "a", "checkpoint.pt", b"new")
    assert isinstance(answer, Halt)
    assert "the disk of the run folder is full" in answer.reason
    (kept,) = (tmp_path / "trials" / "0000").iterdir()
    assert kept.read_bytes() == b"old"


def test_a_full_disk_of_another_machine_ends_the_trial_only(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    server = FileServerAddress(name="x", node="y", versions={})
    files = RunFiles(trials=str(tmp_path), caches={}, server=server)
    directory = RemoteTrialDirectory(files, "0000")
    failure = directory.explain(full)
    directory.close()
    assert not directory.folder.exists()
    assert "TMPDIR" in failure.reason
    assert not failure.halts
    assert TrialDirectory(files, "0000").explain(full).halts


def test_beginnings_go_to_the_run_and_to_other_machines(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = SimpleNamespace(
        read_beginning=SimpleNamespace(remote=server.read_beginning),
        write_beginning=SimpleNamespace(remote=server.write_beginning),
    )
    monkeypatch.setattr(trial_directory, "_server", lambda files: actor)
    monkeypatch.setattr(trial_directory, "_ask", lambda answer: answer)
    files = RunFiles(trials=str(tmp_path / "trials"), caches={})
    there = RemoteTrialDirectory(files, "0000")
    name = "0123456789abcdef/epoch-001.pt"
    assert there.beginnings.read(name) is None
    there.beginnings.write(name, b"an epoch")
    assert there.beginnings.read(name) == b"an epoch"
    # The driver's own machine has the same folder.
    assert trial_directory.TrialDirectory(files, "0001").beginnings.read(name) == b"an epoch"
    there.close()


@pytest.mark.parametrize(
    "name", ["../epoch-001.pt", "0123456789abcdef/../../run.json", "/etc/passwd", "epoch-001.pt"]
)
def test_no_other_names_of_beginnings_pass(server: FileServer, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="an epoch of a beginning"):
        server.write_beginning(name, b"")
    with pytest.raises(ValueError, match="an epoch of a beginning"):
        server.read_beginning(name)
    assert sorted(tmp_path.rglob("*")) == before
