"""A training that was killed, interrupted or out of time goes on as if nothing had happened."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from models.bundle.onnx_export import write_onnx
from models.bundle.store import load_bundle
from models.training.epoch_progress import EpochProgress
from models.training.loop import Training
from models.training.loss_window import NonFiniteLossError
from search.finetune import train as train_module
from search.finetune.training_progress import TrainProgress
from search.run.directory import read_json, read_rows
from tests.search.trained import (
    EPOCHS,
    assert_same_training,
    contents,
    error_of,
    resume,
    train,
)

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("run")


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


def test_resuming_what_is_complete_exports_it_again(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "final"
    shutil.copytree(straight, out)
    (out / "config.json").unlink()  # killed while the bundle was put in place
    monkeypatch.setattr("models.bundle.store.write_onnx", write_onnx)
    assert resume(out) == 0
    for name in ("generator.safetensors", "config.json", "README.md", "samples.png"):
        assert (out / name).read_bytes() == (straight / name).read_bytes()
    session = onnxruntime.InferenceSession(out / "generator.onnx")
    assert session.run(None, {"L": np.zeros((1, 1, 32, 32), np.float32)})[0].shape == (1, 2, 32, 32)


KILLED_AT_STEP = """
import os, signal, sys
from models.training.epoch_progress import EpochProgress
from models.training.loop import Training
from search.cli.main import main

run_epoch = Training.run_epoch

def doomed(training, **hooks):
    for window in run_epoch(training, **hooks):
        yield window
        if training.step >= int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)

Training.run_epoch = doomed
main(sys.argv[2:])
"""


def test_a_killed_training_resumes_to_the_same_bundle(
    run: Path, straight: Path, tmp_path: Path
) -> None:
    out = tmp_path / "final"
    command = ["train", "--from", str(run), "--out", str(out), "--epochs", str(EPOCHS)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP, "11", *command],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # In the middle of the fourth epoch: the third is safe.
    assert len(read_rows(out / "training/trials/0000/validation.jsonl")) == 3
    assert not (out / "config.json").exists()
    assert resume(out) == 0
    assert_same_training(out, straight)


def test_killed_between_checkpoint_and_rows_it_resumes_to_the_same_bundle(
    run: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "final"
    calls = []

    def dying(folder: Path, report: dict[str, Any]) -> None:
        calls.append(report["epoch"])
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "append_report", dying)
        with pytest.raises(Killed):
            train(run, out)
    assert calls == [3]
    with (out / "training/trials/0000/curves.jsonl").open("a") as file:
        file.write('{"step": 8, "epoch": 2.6')
    assert resume(out) == 0
    assert_same_training(out, straight)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_how_to_go_on(
    number: signal.Signals,
    run: Path,
    straight: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "final model"

    def interrupt(progress: TrainProgress, reached: EpochProgress) -> None:
        if reached.epochs > 3:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(TrainProgress, "on_step", interrupt)
        assert train(run, out) == 130
    error = error_of(capfd)
    assert f"chromatune train --resume --out '{out}'" in error.splitlines()[-1]
    assert read_json(out / "training/run.json")["status"] == "interrupted"
    # The whole first command with --resume behind it is understood, too.
    assert train(run, out, "--resume", "--trial", "0") == 0
    assert_same_training(out, straight)


def test_a_time_budget_ends_after_an_epoch_and_exports(
    run: Path,
    straight: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "final"
    clock = iter(range(0, 10**6, 40))
    with monkeypatch.context() as patch:
        patch.setattr(train_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        assert train(run, out, "--time-budget", "1m") == 0
    assert "stopped by the time budget of 60 s: 4 of 5 epochs" in error_of(capfd)
    assert load_bundle(out).config["training"]["epochs"] == 4
    assert resume(out) == 0
    assert_same_training(out, straight)
    # What is complete is exported again, or trained on.
    assert resume(out) == 0
    assert_same_training(out, straight)
    assert resume(out, "--epochs", "6") == 0
    assert load_bundle(out).config["training"]["epochs"] == 6


def test_a_divergence_is_an_error_that_keeps_what_was_learnt(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run_epoch = Training.run_epoch

    def diverging(training: Training, **hooks: Any) -> Iterator[dict[str, Any]]:
        if training.epoch == 3:
            raise NonFiniteLossError("total was nan at step 10")
        return run_epoch(training, **hooks)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "run_epoch", diverging)
        assert train(run, out) == 1
    error = error_of(capfd).splitlines()[-1]
    assert "total was nan at step 10" in error
    assert error.endswith(f"chromatune train --resume --out {out} --epochs 3")
    assert read_rows(out / "training/trials.jsonl")[-1]["state"] == "failed"
    assert read_json(out / "training/run.json")["status"] == "failed"
    assert resume(out, "--epochs", "3") == 0
    assert load_bundle(out).config["training"]["epochs"] == 3


def test_a_full_disk_is_told_with_the_way_on(
    run: Path,
    straight: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"

    def full(folder: Path, report: dict[str, Any]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "curves.jsonl"))

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "append_report", full)
        assert train(run, out) == 1
    last = error_of(capfd).splitlines()[-1]
    assert "full" in last
    assert last.endswith(f"chromatune train --resume --out {out}")
    assert read_json(out / "training/run.json")["status"] == "interrupted"
    assert resume(out) == 0
    assert_same_training(out, straight)


RESUME_REFUSED = {
    "another winner": ("--by balance", ["trial (0000)", "--by balance"]),
    "size": ("--image-size 64", ["--image-size", "32", "64"]),
    "trial": ("--trial 1", ["--trial", "0000", "0001"]),
    "photos": ("--images synthetic:9", ["--images", "synthetic:40", "synthetic:9"]),
    "run": ("--from elsewhere", ["--from", "mine", "elsewhere"]),
    "fresh weights": ("--restart", ["--restart"]),
    "smooth": ("--smooth-upsampling", ["--smooth-upsampling"]),
    "force": ("--force", ["--force"]),
    "fewer epochs": ("--epochs 4", ["--epochs", "5", "4"]),
}


@pytest.mark.parametrize("case", RESUME_REFUSED)
def test_a_resumed_training_keeps_what_changes_its_result(
    case: str, straight: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags, words = RESUME_REFUSED[case]
    before = contents(straight)
    assert resume(straight, *flags.split()) == 2
    error = error_of(capfd)
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert contents(straight) == before
