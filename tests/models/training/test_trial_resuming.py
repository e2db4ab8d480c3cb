"""A trial that was stopped, killed or moved goes on as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from data_pipeline.cache.build import PhotoCache
from data_pipeline.errors import InputError
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.settings import TrainingSettings
from tests.models.toys import (
    HAS_BFLOAT16,
    TRIAL_EPOCHS,
    differences,
    new_trial,
    run_to_end,
    tiny_settings,
)

ROOT = Path(__file__).parents[3]


def assert_same_trial(folder: Path, expected: Path) -> None:
    for name in ("checkpoint.pt", "best.pt"):
        assert differences(load_checkpoint(folder / name), load_checkpoint(expected / name)) == []
    for name in ("samples.png", "originals.png"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes()


@pytest.mark.parametrize("ran", [1, 2, 3])
def test_a_resumed_trial_equals_an_uninterrupted_one(
    ran: int,
    tmp_path: Path,
    photo_cache: PhotoCache,
    uninterrupted: tuple[Path, list[dict[str, Any]]],
) -> None:
    expected, reports = uninterrupted
    first = new_trial(tmp_path / "0000", photo_cache)
    for _ in range(ran):
        first.run_epoch()
    if ran < TRIAL_EPOCHS:
        next(first.training.run_epoch())  # and was killed in the middle of the next one
    (tmp_path / "0000" / "checkpoint.pt.1.tmp").write_bytes(b"half of a che")
    resumed = new_trial(tmp_path / "0000", photo_cache)
    assert (
        differences(resumed.last_report and resumed.last_report.to_dict(), reports[ran - 1]) == []
    )
    assert resumed.done == (ran == TRIAL_EPOCHS)
    assert differences(run_to_end(resumed), reports[ran:]) == []
    assert_same_trial(tmp_path / "0000", expected)
    assert not list((tmp_path / "0000").glob("*.tmp"))


FRESH_PROCESS = """
import sys
from pathlib import Path
import torch
from data_pipeline.cache.build import open_cache
from tests.models.toys import new_trial, run_to_end

cache = open_cache(Path(sys.argv[1]))
for folder in map(Path, sys.argv[2:]):
    run_to_end(new_trial(folder, cache, dtype=getattr(torch, folder.name)))
"""


def test_a_trial_resumed_in_a_fresh_process_equals_an_uninterrupted_one(
    tmp_path: Path,
    photo_cache: PhotoCache,
    uninterrupted: tuple[Path, list[dict[str, Any]]],
) -> None:
    expected = {torch.float32: uninterrupted[0]}
    if HAS_BFLOAT16:
        expected[torch.bfloat16] = tmp_path / "straight"
        run_to_end(new_trial(tmp_path / "straight", photo_cache, dtype=torch.bfloat16))
    folders = {dtype: tmp_path / str(dtype).removeprefix("torch.") for dtype in expected}
    for dtype, folder in folders.items():
        new_trial(folder, photo_cache, dtype=dtype).run_epoch()
    command = [sys.executable, "-c", FRESH_PROCESS, photo_cache.path, *folders.values()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for dtype, folder in folders.items():
        assert_same_trial(folder, expected[dtype])


def test_a_finished_trial_goes_on_when_more_epochs_are_asked(
    tmp_path: Path, photo_cache: PhotoCache, uninterrupted: tuple[Path, list[dict[str, Any]]]
) -> None:
    expected, _ = uninterrupted
    run_to_end(new_trial(tmp_path / "0000", photo_cache, max_epochs=1))
    longer = new_trial(tmp_path / "0000", photo_cache)
    assert longer.last_report is not None
    assert not longer.last_report.done
    run_to_end(longer)
    assert_same_trial(tmp_path / "0000", expected)


def test_a_trial_goes_on_with_its_own_settings_only(
    photo_cache: PhotoCache, uninterrupted: tuple[Path, list[dict[str, Any]]]
) -> None:
    folder, _ = uninterrupted
    before = {path: path.read_bytes() for path in folder.iterdir()}
    other = replace(tiny_settings(), generator_lr=1e-3, generator_complexity=5)
    with pytest.raises(InputError) as caught:
        new_trial(folder, photo_cache, settings=other)
    assert "generator_lr was 0.002 and is 0.001" in str(caught.value)
    assert "generator_complexity was 4 and is 5" in str(caught.value)
    assert str(folder) in str(caught.value)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_damaged_checkpoint_is_refused(
    tmp_path: Path, photo_cache: PhotoCache, uninterrupted: tuple[Path, list[dict[str, Any]]]
) -> None:
    whole = (uninterrupted[0] / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="must be a whole checkpoint"):
        new_trial(tmp_path, photo_cache)


def test_an_older_checkpoint_may_lack_newer_settings(
    tmp_path: Path, photo_cache: PhotoCache, uninterrupted: tuple[Path, list[dict[str, Any]]]
) -> None:
    state = load_checkpoint(uninterrupted[0] / "checkpoint.pt")
    assert state["settings"].pop("dropout") == TrainingSettings().dropout
    assert state["settings"].pop("ema_share") == TrainingSettings().ema_share
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    assert new_trial(tmp_path, photo_cache).done


def test_a_half_life_that_grows_goes_on_growing(tmp_path: Path, photo_cache: PhotoCache) -> None:
    growing = replace(tiny_settings(), ema_images=10**9, ema_share=0.5)
    run_to_end(new_trial(tmp_path / "whole", photo_cache, settings=growing))
    new_trial(tmp_path / "resumed", photo_cache, settings=growing).run_epoch()
    run_to_end(new_trial(tmp_path / "resumed", photo_cache, settings=growing))
    assert_same_trial(tmp_path / "resumed", tmp_path / "whole")
    run_to_end(new_trial(tmp_path / "other", photo_cache))
    averages = [
        load_checkpoint(tmp_path / name / "checkpoint.pt")["training"]["average"]
        for name in ("whole", "other")
    ]
    assert differences(*averages) != []
