"""Checkpoints: whole or refused, whatever happens to the writer, the disk or the file."""

from __future__ import annotations

import os
import pickle
import random
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from models.networks.generator import Generator
from models.training.checkpoint import load_checkpoint, save_checkpoint
from tests.models.toys import differences

ROOT = Path(__file__).parents[3]

STATE = {
    "step": 3,
    "loss": float("nan"),
    "best": None,
    "rows": [{"epoch": 0.5, "l1": 0.25}, {"epoch": 1.0, "l1": None}],
    "weights": {"w": torch.arange(600, dtype=torch.float32).reshape(20, 30), "n": torch.tensor(7)},
    "random": torch.arange(256, dtype=torch.uint8),
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    return path


def test_what_was_saved_is_loaded(written: Path) -> None:
    assert differences(load_checkpoint(written), {"format": 1, **STATE}) == []
    assert list(written.parent.iterdir()) == [written]


def test_the_layout_of_weights_survives(tmp_path: Path) -> None:
    weights = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "c.pt", {"w": weights})
    loaded = load_checkpoint(tmp_path / "c.pt")["w"]
    assert loaded.stride() == weights.stride()


def test_saving_replaces_whole_files(written: Path) -> None:
    save_checkpoint(written, {"step": 4})
    assert load_checkpoint(written) == {"format": 1, "step": 4}


@pytest.mark.parametrize("room", [0, 100, 5_000, 100_000])
def test_a_full_disk_is_named_and_leaves_the_old_checkpoint(written: Path, room: int) -> None:
    old = written.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on file size fails in the same place, and leaves room for everybody else.
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            save_checkpoint(written, {"w": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not isinstance(caught.value, RuntimeError)
    assert written.read_bytes() == old
    assert list(written.parent.iterdir()) == [written]


def test_what_cannot_be_saved_leaves_the_old_checkpoint(written: Path) -> None:
    old = written.read_bytes()
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save_checkpoint(written, {"step": lambda: None})
    assert written.read_bytes() == old
    assert list(written.parent.iterdir()) == [written]


def test_a_missing_folder_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save_checkpoint(tmp_path / "none" / "c.pt", STATE)


KILLED_WRITERS = """
import itertools, os, random, signal, sys, time
from pathlib import Path
import torch
from models.training.checkpoint import load_checkpoint, save_checkpoint

path = Path(sys.argv[1])
last = 0
save_checkpoint(path, {"step": last, "w": torch.full((200_000,), float(last))})
for number in range(12):
    before = path.stat().st_mtime_ns
    writer = os.fork()
    if writer == 0:
        try:
            for step in itertools.count(last + 1):
                save_checkpoint(path, {"step": step, "w": torch.full((200_000,), float(step))})
        finally:
            os._exit(1)
    # Once it has written something, it is killed at any moment.
    while path.stat().st_mtime_ns == before and os.waitpid(writer, os.WNOHANG) == (0, 0):
        time.sleep(0.001)
    time.sleep(random.Random(number).uniform(0, 0.03))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    state = load_checkpoint(path)
    assert (state["w"] == state["step"]).all()
    assert state["step"] > last
    last = state["step"]
"""


def test_a_killed_writer_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED_WRITERS, str(tmp_path / "checkpoint.pt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_files_are_refused(written: Path, cut: float) -> None:
    whole = written.read_bytes()
    refused(written.with_name("cut.pt"), whole[: int(cut * len(whole))])


@given(seed=st.integers(0, 2**32), n_bytes=st.sampled_from([1, 16, 512]))
@example(seed=1071585, n_bytes=1)  # a part that torch took for a folder
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_refused_or_harmless(written: Path, seed: int, n_bytes: int) -> None:
    rng, content = random.Random(seed), bytearray(written.read_bytes())
    start = rng.randrange(len(content) - n_bytes)
    content[start : start + n_bytes] = rng.randbytes(n_bytes)
    damaged = written.with_name("damaged.pt")
    damaged.write_bytes(content)
    try:
        state = load_checkpoint(damaged)
    except InputError:
        return
    # The padding between the parts of the file may be anything.
    assert differences(state, {"format": 1, **STATE}) == []


def test_a_flipped_bit_in_the_weights_is_found(written: Path) -> None:
    content = bytearray(written.read_bytes())
    place = content.index(torch.tensor(123.0).numpy().tobytes())
    content[place] ^= 1
    assert "is damaged" in refused(written, bytes(content))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"hello", bytes(1000), random.Random(0).randbytes(1000)]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    assert "is damaged" in refused(tmp_path / "c.pt", content)


class Hostile:
    """Makes an unpickler that obeys it create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.target}'",)


def as_torch_zip(path: Path, hostile: Hostile) -> None:
    torch.save({"format": 1, "step": hostile}, path)


def as_old_torch_file(path: Path, hostile: Hostile) -> None:
    torch.save({"format": 1, "step": hostile}, path, _use_new_zipfile_serialization=False)


def as_plain_pickle(path: Path, hostile: Hostile) -> None:
    path.write_bytes(pickle.dumps({"format": 1, "step": hostile}))


def as_plain_zip(path: Path, hostile: Hostile) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"format": 1, "step": hostile}))
        archive.writestr("archive/version", "3\n")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [as_torch_zip, as_old_torch_file, as_plain_pickle, as_plain_zip])
def test_hostile_pickles_are_refused_and_never_run(
    tmp_path: Path, write: Callable[[Path, Hostile], None]
) -> None:
    target, path = tmp_path / "executed", tmp_path / "c.pt"
    write(path, Hostile(target))
    assert b"touch" in path.read_bytes()
    message = refused(path)
    assert not target.exists()
    assert "weights_only" not in message


def test_modules_are_refused(tmp_path: Path) -> None:
    torch.save({"format": 1, "generator": Generator(1)}, tmp_path / "c.pt")
    assert "must hold tensors and plain values only" in refused(tmp_path / "c.pt")


@pytest.mark.parametrize(
    ("state", "found"),
    [({"format": 2}, "2"), ({}, "None"), ({"format": "1"}, "'1'"), ([1, 2], "'list'")],
)
def test_other_formats_are_refused(tmp_path: Path, state: Any, found: str) -> None:
    torch.save(state, tmp_path / "c.pt")
    assert f"must be a checkpoint of format 1, but got {found};" in refused(tmp_path / "c.pt")


def test_missing_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a checkpoint must exist at .*, but there is none"):
        load_checkpoint(tmp_path / "none.pt")
    with pytest.raises(InputError, match="must be a readable file, but: Is a directory"):
        load_checkpoint(tmp_path)


def refused(path: Path, content: bytes | None = None) -> str:
    """Return the message, one line that names the file, with which a file is refused."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message
