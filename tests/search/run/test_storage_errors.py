"""What stops a whole search: a full disk, an unwritable folder, lost photos. Nothing is damaged."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_pipeline.errors import InputError
from models.training.settings import TrainingSettings
from search.config import EarlyStopping, SearchConfig
from search.run import ledger as ledger_module
from search.run.directory import RunFolder, read_json, read_rows, write_json
from search.run.ledger import Ledger
from search.run.photos import prepare_photos, reopen_photos
from search.run.storage_errors import describe, halts
from search.study.creation import open_study
from search.tune.cluster.compatibility import own_versions
from search.tune.file_server import FileServerAddress
from search.tune.messages import SearchHalted, TrialFailed, TrialStart, to_result
from search.tune.searcher import LedgerSearcher, LedgerStopper
from search.tune.trainable import ColorizerTrainable
from search.tune.trial_directory import RunFiles
from tests.search.driving import PATIENCE_SEC, SEARCH, check, ended, finish, start, wait_for_rows
from tests.search.ledgers import make_bridge, make_job

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB, in which a search of a few trials has room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs the right to mount a file system: {error}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_halts_the_search_in_clear_words_and_damages_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    cache, run = tmp_path / "cache", small_disk / "runs" / "killed"
    process = start(SEARCH, small_disk, cache)
    wait_for_rows(run, 1, process)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    filler = small_disk / "filler"
    _fill(filler)
    before = ended(run)
    process.send_signal(signal.SIGCONT)
    out, error = process.communicate(timeout=PATIENCE_SEC)
    assert process.returncode == 1, error
    assert out == ""
    assert "the disk of the run folder is full" in error
    assert "chromatune search --resume --name killed" in error
    assert "Traceback" not in error
    filler.unlink()
    assert all(row["state"] != "failed" for row in ended(run).values())
    finish(small_disk, cache)
    check(run, before)
    assert {row["state"] for row in ended(run).values()} <= {"complete", "pruned"}


def test_a_vanished_photo_folder_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(40):
        colours = rng.integers(0, 255, (3, 3, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((48, 48), Image.Resampling.BICUBIC).save(
            photos / f"{i}.png"
        )
    config = SearchConfig(name="run", images=str(photos), image_size=32, batch_size=8)
    run = RunFolder(tmp_path / "run")
    run.create(config.to_dict(), command=["chromatune"])
    found = prepare_photos(config)
    write_json(run.path / "data.json", found.summary)
    shutil.rmtree(photos)
    assert reopen_photos(run, config) == found
    shutil.rmtree(next(iter(found.caches.values())))
    # Without the cache the photos are needed, and the message says where they were.
    with pytest.raises(InputError, match="photos"):
        reopen_photos(run, config)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)


def _ledger(folder: Path) -> Ledger:
    config = SearchConfig(
        name="run",
        trials=2,
        max_epochs=1,
        known_points=False,
        early_stopping=EarlyStopping(enabled=False),
    )
    run = RunFolder(folder / "run")
    if not run.path.exists():
        run.create(config.to_dict(), command=["chromatune"])
    return Ledger(run, open_study(run.study_path, config), config)


def test_a_ledger_that_cannot_be_written_stays_as_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge = make_bridge(_ledger(tmp_path))
    searcher, stopper = (
        LedgerSearcher(bridge, make_job(tmp_path)),
        LedgerStopper(bridge, lambda: None),
    )
    assert isinstance(searcher.suggest("tune-a"), dict)

    def full(*_: Any) -> None:
        raise FULL

    monkeypatch.setattr(ledger_module, "append_rows", full)
    assert stopper("tune-a", to_result(TrialFailed("whatever")))
    searcher.on_trial_complete("tune-a")
    assert "disk" in (bridge.halted or "")
    assert stopper.stop_all()
    assert searcher.suggest("tune-b") == searcher.FINISHED
    monkeypatch.undo()
    again = _ledger(tmp_path)
    assert again.ended == {}
    opened = again.ask()
    assert opened is not None
    assert opened.trial_id == "0000"


def test_a_trial_that_cannot_write_is_no_failed_trial(tmp_path: Path) -> None:
    bridge = make_bridge(_ledger(tmp_path))
    searcher, stopper = (
        LedgerSearcher(bridge, make_job(tmp_path)),
        LedgerStopper(bridge, lambda: None),
    )
    searcher.suggest("tune-a")
    assert stopper("tune-a", to_result(SearchHalted("the disk is full")))
    searcher.on_trial_complete("tune-a")
    assert bridge.halted == "the disk is full"
    assert ended(tmp_path / "run") == {}


def _start(folder: Path, **changes: Any) -> dict[str, Any]:
    """Tune's configuration of a trial."""
    start = TrialStart(
        job=make_job(folder, **changes),
        trial_id="0000",
        settings=TrainingSettings(),
        reported_epoch=0,
    )
    return start.to_config()


def _trainable(config: dict[str, Any]) -> ColorizerTrainable:
    trainable = ColorizerTrainable.__new__(ColorizerTrainable)
    trainable.setup(config)
    return trainable


def test_a_lost_cache_halts_and_a_broken_trial_only_fails(tmp_path: Path) -> None:
    result = _trainable(_start(tmp_path)).step()
    assert "absent" in result["halted"]
    assert result["done"]
    config = {**_start(tmp_path), "settings": {"generator_lr": -1.0}}
    assert "generator_lr" in _trainable(config).step()["failed"]


def test_a_machine_of_other_versions_halts_instead_of_using_up_the_trials(tmp_path: Path) -> None:
    versions = {**own_versions(), "torch": "2.9.1"}
    server = FileServerAddress(name="x", node="y", versions=versions)
    files = RunFiles(trials=str(tmp_path), caches={}, server=server)
    result = _trainable(_start(tmp_path, files=files)).step()
    assert result["done"]
    assert f"{socket.gethostname()} has torch 2." in result["halted"]
    assert "(here 2.9.1)" in result["halted"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), "out of device memory: CUDA"),
        (MemoryError(), "out of memory"),
        (RuntimeError("boom"), "RuntimeError: boom"),
    ],
)
def test_a_trial_that_breaks_down_fails_with_its_reason_and_leaves_the_actor_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def breaks_down(self: ColorizerTrainable) -> None:
        raise error

    monkeypatch.setattr(ColorizerTrainable, "_open_trial", breaks_down)
    trainable = _trainable(_start(tmp_path))
    result = trainable.step()
    assert result["done"]
    assert result["failed"].startswith(reason)
    assert "\n" not in result["failed"]
    assert trainable.reset_config(_start(tmp_path))
    assert trainable._trial is None


def _trial_that_runs_out_of_memory(held: list[weakref.ref[Any]]) -> Any:
    """A trial that fails as a step does: with activations in the frames of its error."""

    class Trial:
        last_report = None

        def run_epoch(self, **_: Any) -> None:
            activations = torch.ones(1000)
            held.extend((weakref.ref(self), weakref.ref(activations)))
            raise torch.OutOfMemoryError("CUDA out of memory")

    return Trial()


@pytest.mark.parametrize("fails", [True, False])
def test_the_memory_of_a_trial_that_has_ended_is_handed_back(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[Any]] = []
    alive_when_freed: list[bool] = []
    monkeypatch.setattr(
        "search.tune.trainable.free_device_memory",
        lambda: alive_when_freed.append(any(reference() is not None for reference in held)),
    )
    trainable = _trainable(_start(tmp_path))
    trainable._trial = _trial_that_runs_out_of_memory(held)
    if fails:
        assert trainable.step()["failed"].startswith("out of device memory")
    else:
        held.append(weakref.ref(trainable._trial))
        trainable.reset_config(_start(tmp_path))
    assert alive_when_freed == [False]


LOST_DEVICE = """
import torch
from search.tune.trainable import ColorizerTrainable

def breaks_down(self):
    raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

ColorizerTrainable._open_trial = breaks_down
trainable = ColorizerTrainable.__new__(ColorizerTrainable)
trainable.setup({})
print(trainable.step())
"""


def test_a_process_whose_device_is_lost_dies_and_reports_nothing() -> None:
    # Its trial is then taken up by another process: test_surviving.py.
    done = subprocess.run(
        [sys.executable, "-c", LOST_DEVICE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FULL, True),
        (OSError(errno.EROFS, "Read-only file system"), True),
        (PermissionError(errno.EACCES, "Permission denied", "/runs/a/trials/0000/best.pt"), True),
        (PermissionError(errno.EACCES, "Permission denied", "/proc/kcore"), False),
        (ConnectionError("peer"), False),
    ],
)
def test_which_errors_concern_the_run(error: OSError, expected: bool) -> None:
    assert halts(error, Path("/runs/a/trials")) is expected
    assert "\n" not in describe(error)


def test_a_half_written_line_of_the_journal_is_cut(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path)
    assert ledger.ask() is not None
    journal = ledger.run.study_path
    whole = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(whole.splitlines()[-1][:20])
    again = _ledger(tmp_path)
    opened = again.ask()
    assert opened is not None
    assert opened.trial_id == "0000"
    assert again.ask() is not None
    assert len(again.study.trials) == 2


def test_the_lock_of_a_killed_writer_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path()
    assert _ledger(here).ask() is not None
    # As it is left by SIGKILL between Optuna's taking and its releasing of the lock.
    (here / "run" / "study.journal.lock").symlink_to("run/study.journal")
    opened = _ledger(here).ask()
    assert opened is not None
    assert opened.trial_id == "0000"
    assert not list((here / "run").glob("study.journal.lock*"))


def test_status_is_kept_when_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _ledger(tmp_path).run

    def full(*_: Any, **__: Any) -> None:
        raise FULL

    monkeypatch.setattr(os, "fsync", full)
    run.note_status("failed")
    monkeypatch.undo()
    assert read_json(run.path / "run.json")["status"] == "running"
    assert not list(run.path.glob("*.tmp"))
    assert read_rows(run.path / "trials.jsonl") == []
    assert os.access(run.path, os.W_OK)
