"""A winner trained on: as if never interrupted, at other sizes, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from data_pipeline.cache import open_cache
from data_pipeline.split import split_by_content
from models.bundle import FILE_NAMES, load_bundle
from models.bundle_onnx import write_onnx
from models.bundle_weights import write_weights
from models.checkpoint import load_checkpoint
from models.complexity import balance, discriminator_parameters, generator_parameters
from models.device import resolve_compute
from models.generator import Generator
from models.loss_window import NonFiniteLossError
from models.settings import TrainingSettings
from models.training import Training
from models.trial import Trial
from search import train as train_module
from search.cli import main
from search.config import EarlyStopping, SearchConfig
from search.ledger import Ledger
from search.photos import prepare_photos
from search.run_folder import RunFolder, read_json, read_rows, write_json
from search.study import open_study
from search.train_progress import TrainProgress
from tests.models.toys import differences

ROOT = Path(__file__).parents[2]
SEARCHED, EPOCHS = 2, 5
#: trial -> (what its process reports instead of an epoch, after so many epochs)
FAILURES = {"0001": ("out of memory", 0), "0002": ("non-finite loss: total was nan at step 4", 1)}


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


@pytest.fixture(scope="module", autouse=True)
def quick_onnx() -> Iterator[None]:
    """The weights in place of the ONNX graph, which takes seconds and has tests of its own."""

    def write(path: Path, generator: Generator, *, metadata: Any) -> None:
        write_weights(path, generator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.bundle.write_onnx", write)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A search without Ray: trial 0000 is complete, 0001 failed at once, 0002 diverged."""
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHROMATUNE_CACHE", str(place / "cache"))
        config = SearchConfig(
            name="mine",
            images="synthetic:40",
            trials=3,
            max_epochs=SEARCHED,
            image_size=32,
            batch_size=8,
            device="cpu",
            known_points=False,
            early_stopping=EarlyStopping(enabled=False),
            space={
                "generator_complexity": {"low": 6, "high": 9},
                "discriminator_complexity": {"low": 5, "high": 8},
                "generator_lr": 5e-3,
                "ema_images": 20,
                "window_steps": 2,
                "precision": "float32",
            },
        )
        photos = prepare_photos(config)
        folder = RunFolder(place / "runs" / "mine")
        folder.create(config.to_dict(), command=["chromatune", "search"])
        write_json(folder.path / "data.json", photos.summary)
        ledger = Ledger(folder, open_study(folder, config), config)
        while opened := ledger.ask():
            trial = _trial(folder.path, opened.trial_id, opened.settings, max_epochs=SEARCHED)
            failure, after = FAILURES.get(opened.trial_id, ("", SEARCHED))
            for _ in range(after):
                ledger.report(opened.trial_id, trial.run_epoch() | {"device": "cpu"})
            if failure:
                ledger.report(opened.trial_id, {"failed": failure})
            ledger.finish(opened.trial_id)
        folder.set_status("finished")
        yield folder.path


def _trial(run: Path, name: str, settings: TrainingSettings, *, max_epochs: int) -> Trial:
    cache = open_cache(Path(read_json(run / "data.json")["cache"]["32"]))
    config = SearchConfig.from_dict(read_json(run / "config.json"))
    return Trial(
        run / "trials" / name,
        settings=settings,
        max_epochs=max_epochs,
        cache=cache,
        split=split_by_content(cache.hashes, validation_fraction=config.validation_fraction),
        objective=config.make_objective(),
        compute=resolve_compute("cpu", settings.precision),
    )


def _settings(trial_folder: Path) -> TrainingSettings:
    return TrainingSettings.from_dict(read_json(trial_folder / "parameters.json"))


def _train(run: Path, out: Path, *flags: str, epochs: int = EPOCHS) -> int:
    return main(["train", "--from", str(run), "--out", str(out), "--epochs", str(epochs), *flags])


@pytest.fixture(scope="module")
def straight(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing interrupted."""
    out = tmp_path_factory.mktemp("straight") / "final"
    assert _train(run, out) == 0
    return out


@pytest.fixture(scope="module")
def reference(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trial that was given `EPOCHS` epochs from the start."""
    place = tmp_path_factory.mktemp("reference")
    for name in ("config.json", "data.json"):
        shutil.copy(run / name, place)
    trial = _trial(place, "0000", _settings(run / "trials" / "0000"), max_epochs=EPOCHS)
    while not trial.done:
        trial.run_epoch()
    return trial.folder


def _assert_same_bundle(out: Path, expected: Path) -> None:
    assert {path.name for path in out.iterdir()} == {*FILE_NAMES, "training"}
    for name in FILE_NAMES:
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    for name in ("curves.jsonl", "validation.jsonl"):
        rows, others = (read_rows(o / "training/trials/0000" / name) for o in (out, expected))
        assert differences(rows, others) == []


def _error(capfd: pytest.CaptureFixture[str]) -> str:
    captured = capfd.readouterr()
    assert captured.out == ""
    return captured.err


def test_going_on_equals_a_trial_that_was_given_more_epochs(
    straight: Path, reference: Path
) -> None:
    folder = straight / "training/trials/0000"
    for name in ("checkpoint.pt", "best.pt"):
        expected = load_checkpoint(reference / name)
        assert differences(load_checkpoint(folder / name), expected) == []
    for name in ("samples.png", "originals.png"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes()
    assert [row["epoch"] for row in read_rows(folder / "validation.jsonl")] == [1, 2, 3, 4, 5]
    steps = [row["step"] for row in read_rows(folder / "curves.jsonl")]
    assert steps == sorted(set(steps))


def test_the_bundle_holds_the_best_epochs_averaged_weights(
    straight: Path, reference: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(straight)
    best = load_checkpoint(reference / "best.pt")
    for name, tensor in bundle.generator.state_dict().items():
        assert torch.equal(tensor, best["generator"][name])
    assert bundle.config["epoch"] == best["epoch"]
    assert bundle.config["run"] == "mine"
    assert bundle.config["trial_id"] == "0000"
    assert bundle.config["training"] == {"epochs": EPOCHS, "continued_after_epoch": SEARCHED}
    assert "found_by_search" not in bundle.config["balance"]
    assert (straight / "samples.png").read_bytes() == (reference / "samples.png").read_bytes()
    grey = np.random.default_rng(0).integers(0, 255, (40, 56), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    out = tmp_path / "colour"
    assert main(["colorize", str(straight), str(tmp_path / "grey.png"), "--out", str(out)]) == 0
    with Image.open(out / "grey.png") as colour:
        assert colour.size == (56, 40)


def test_the_run_is_left_as_it_was_and_the_training_can_be_looked_at(
    run: Path, straight: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(read_rows(run / "trials/0000/validation.jsonl")) == SEARCHED
    training = straight / "training"
    assert read_json(training / "run.json")["status"] == "finished"
    assert main(["leaderboard", str(training), "--format", "json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["trial_id"], row["state"], row["epochs"]) == ("0000", "complete", EPOCHS)
    assert main(["report", str(training), "--out", str(tmp_path / "report.html")]) == 0
    assert main(["export", str(training), "--out", str(tmp_path / "again")]) == 0
    for name in FILE_NAMES:
        assert (tmp_path / "again" / name).read_bytes() == (straight / name).read_bytes()


def test_resuming_what_is_complete_exports_it_again(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "final"
    shutil.copytree(straight, out)
    (out / "config.json").unlink()  # killed while the bundle was put in place
    monkeypatch.setattr("models.bundle.write_onnx", write_onnx)
    assert main(["train", "--resume", "--out", str(out)]) == 0
    for name in ("generator.safetensors", "config.json", "README.md", "samples.png"):
        assert (out / name).read_bytes() == (straight / name).read_bytes()
    session = onnxruntime.InferenceSession(out / "generator.onnx")
    assert session.run(None, {"L": np.zeros((1, 1, 32, 32), np.float32)})[0].shape == (1, 2, 32, 32)


def test_progress_is_plain_lines_on_standard_error(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train(run, tmp_path / "out", epochs=3) == 0
    lines = _error(capfd).splitlines()
    assert lines[0] == "40 photos: 30 train, 10 validate"
    assert lines[1] == "trial 0000 of mine goes on after epoch 2, up to epoch 3"
    assert lines[2].startswith("[3/3] ab_swd ")
    assert lines[3].startswith("done: 3 of 3 epochs; best ab_swd ")
    assert lines[4].startswith("wrote the generator of epoch ")
    assert len(lines) == 5


KILLED_AT_STEP = """
import os, signal, sys
from models.training import Training
from search.cli import main

run_epoch = Training.run_epoch

def doomed(training):
    for window in run_epoch(training):
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
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(_threads())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # In the middle of the fourth epoch: the third is safe.
    assert len(read_rows(out / "training/trials/0000/validation.jsonl")) == 3
    assert not (out / "config.json").exists()
    assert main(["train", "--resume", "--out", str(out)]) == 0
    _assert_same_bundle(out, straight)


def _threads() -> int:
    return torch.get_num_threads()


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
            _train(run, out)
    assert calls == [3]
    with (out / "training/trials/0000/curves.jsonl").open("a") as file:
        file.write('{"step": 8, "epoch": 2.6')
    assert main(["train", "--resume", "--out", str(out)]) == 0
    _assert_same_bundle(out, straight)


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

    def interrupt(progress: TrainProgress, window: dict[str, Any]) -> None:
        if window["epoch"] > 3:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(TrainProgress, "on_window", interrupt)
        assert _train(run, out) == 130
    error = _error(capfd)
    assert f"chromatune train --resume --out '{out}'" in error.splitlines()[-1]
    assert read_json(out / "training/run.json")["status"] == "interrupted"
    # The whole first command with --resume behind it is understood, too.
    assert _train(run, out, "--resume", "--trial", "0") == 0
    _assert_same_bundle(out, straight)


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
        assert _train(run, out, "--time-budget", "1m") == 0
    assert "stopped by the time budget of 60 s: 4 of 5 epochs" in _error(capfd)
    assert load_bundle(out).config["training"]["epochs"] == 4
    assert main(["train", "--resume", "--out", str(out)]) == 0
    _assert_same_bundle(out, straight)
    # What is complete is exported again, or trained on.
    assert main(["train", "--resume", "--out", str(out)]) == 0
    _assert_same_bundle(out, straight)
    assert main(["train", "--resume", "--out", str(out), "--epochs", "6"]) == 0
    assert load_bundle(out).config["training"]["epochs"] == 6


@pytest.mark.parametrize("size", [64, 96])
def test_another_size_keeps_the_ratio_and_begins_with_fresh_weights(
    size: int, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "large"
    assert _train(run, out, "--image-size", str(size), epochs=1) == 0
    error = _error(capfd)
    searched = _settings(run / "trials/0000")
    settings = _settings(out / "training/trials/0000")
    width, g = searched.discriminator_complexity, searched.generator_complexity
    ratio = balance(g, width, 32).parameter_ratio
    distances = {
        d: abs(discriminator_parameters(d, size) / generator_parameters(g) - ratio)
        for d in range(1, 50)
    }
    nearest = min(distances, key=lambda d: distances[d])
    assert nearest < width
    assert settings == replace(searched, image_size=size, discriminator_complexity=nearest)
    assert "begins again with fresh weights" in error
    assert f"discriminator width: {width} at 32 pixels, {nearest} at {size}" in error
    config = load_bundle(out).config
    assert config["image_size"] == size
    assert config["training"] == {"epochs": 1, "continued_after_epoch": None}
    assert config["balance"]["discriminator_complexity"] == nearest
    assert config["balance"]["parameter_ratio"] == balance(g, nearest, size).parameter_ratio
    found = config["balance"]["found_by_search"]
    assert (found["image_size"], found["discriminator_complexity"]) == (32, width)
    assert found["parameter_ratio"] == ratio
    card = (out / "README.md").read_text()
    assert f"| found_by_search.discriminator_complexity | {width} |" in card
    assert f"| found_by_search.parameter_ratio | {ratio:.4g} |" in card


def test_restart_takes_fresh_weights(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "again"
    assert _train(run, out, "--restart", epochs=1) == 0
    assert "fresh weights (--restart)" in _error(capfd)
    # The same training from the start: its first epoch is that of the trial.
    (row,) = read_rows(out / "training/trials/0000/validation.jsonl")
    assert differences(row, read_rows(run / "trials/0000/validation.jsonl")[0]) == []


def test_a_trial_without_a_checkpoint_begins_again(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train(run, tmp_path / "out", "--trial", "1", epochs=1) == 0
    assert "trial 0001 of mine begins again with fresh weights (it left no check" in _error(capfd)


def test_other_photos_begin_again_and_equal_ones_go_on(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _train(run, tmp_path / "other", "--images", "synthetic:36", epochs=1) == 0
    assert "its photos are not those of --images" in _error(capfd)
    assert load_bundle(tmp_path / "other").config["data"]["source"] == "synthetic:36"
    assert _train(run, tmp_path / "equal", "--images", "synthetic:40", epochs=3) == 0
    assert "goes on after epoch 2" in _error(capfd)


def test_without_epochs_it_trains_three_times_as_long_as_the_search(
    run: Path, tmp_path: Path
) -> None:
    assert main(["train", "--from", str(run), "--out", str(tmp_path / "out")]) == 0
    assert load_bundle(tmp_path / "out").config["training"]["epochs"] == 3 * SEARCHED


def test_a_divergence_is_an_error_that_keeps_what_was_learnt(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run_epoch = Training.run_epoch

    def diverging(training: Training) -> Iterator[dict[str, Any]]:
        if training.epoch == 3:
            raise NonFiniteLossError("total was nan at step 10")
        return run_epoch(training)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "run_epoch", diverging)
        assert _train(run, out) == 1
    error = _error(capfd).splitlines()[-1]
    assert "total was nan at step 10" in error
    assert error.endswith(f"chromatune train --resume --out {out} --epochs 3")
    assert read_rows(out / "training/trials.jsonl")[-1]["state"] == "failed"
    assert read_json(out / "training/run.json")["status"] == "failed"
    assert main(["train", "--resume", "--out", str(out), "--epochs", "3"]) == 0
    assert load_bundle(out).config["training"]["epochs"] == 3


def test_force_replaces_a_training_and_nothing_else(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out)]) == 0
    assert _train(run, out, epochs=3) == 2
    assert _train(run, out, "--force", epochs=3) == 0
    assert _train(run, out, "--force", epochs=4) == 0
    assert load_bundle(out).config["training"]["epochs"] == 4
    capfd.readouterr()
    (out / "holiday.jpg").write_bytes(b"")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert _train(run, out, "--force") == 2
    assert "holiday.jpg" in _error(capfd)
    (out / "holiday.jpg").unlink()
    del before[out / "holiday.jpg"]
    training = RunFolder(out / "training")
    training.lock()
    try:
        assert _train(run, out, "--force") == 2
        assert "another process" in _error(capfd)
        assert main(["train", "--resume", "--out", str(out)]) == 2
        assert "another process" in _error(capfd)
    finally:
        training.close()
    # A taken lock is an empty file, and nothing else has changed.
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


REFUSED = {
    "no more epochs": ("--epochs 2", ["--epochs", "2", "0000", "--restart"]),
    "unknown trial": ("--trial 9", ["--trial", "0002", "9"]),
    "diverged": ("--trial 2", ["0002", "non-finite loss: total was nan at step 4", "another"]),
    "diverged, afresh": ("--trial 2 --restart", ["0002", "non-finite loss"]),
    "no photos": ("--images absent", ["--images", "absent"]),
    "too few photos": ("--images synthetic:8", ["8", "synthetic:8"]),
    "zero budget": ("--time-budget 0s", ["--time-budget", "0"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(
    case: str, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags, words = REFUSED[case]
    command = ["train", "--from", str(run), "--out", str(tmp_path / "out"), *flags.split()]
    assert main(command) == 2
    error = _error(capfd)
    assert error.count("\n") == 1, error
    for word in words:
        assert word in error
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_diverged_may_be_tried_at_another_size(run: Path, tmp_path: Path) -> None:
    assert _train(run, tmp_path / "out", "--trial", "2", "--image-size", "64", epochs=1) == 0


def test_a_trial_that_is_being_trained_is_refused(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "runs"
    shutil.copytree(run, copy)
    rows = read_rows(copy / "trials.jsonl")
    (copy / "trials.jsonl").write_text(json.dumps(rows[0]) + "\n")  # it has started, no more
    folder = RunFolder(copy)
    folder.lock()
    try:
        assert _train(copy, tmp_path / "out", "--trial", "0") == 2
        assert "a search is training trial 0000" in _error(capfd)
    finally:
        folder.close()
    # The search was interrupted: what it left can be trained on, but is nobody's best yet.
    assert _train(copy, tmp_path / "out") == 2
    assert "train needs a trial that has ended" in _error(capfd)
    assert _train(copy, tmp_path / "out", "--trial", "0", epochs=3) == 0


def test_photos_that_have_changed_are_refused(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(run, copy)
    data = read_json(copy / "data.json")
    write_json(copy / "data.json", {**data, "cache": {"32": str(tmp_path / "32-crop-gone")}})
    assert _train(copy, tmp_path / "out") == 2
    assert "has changed since; use --restart" in _error(capfd)
    assert not (tmp_path / "out").exists()
    assert _train(copy, tmp_path / "out", "--restart", epochs=1) == 0


RESUME_REFUSED = {
    "size": ("--image-size 64", ["--image-size", "32", "64"]),
    "trial": ("--trial 1", ["--trial", "0000", "0001"]),
    "photos": ("--images synthetic:9", ["--images", "synthetic:40", "synthetic:9"]),
    "run": ("--from elsewhere", ["--from", "mine", "elsewhere"]),
    "fresh weights": ("--restart", ["--restart"]),
    "force": ("--force", ["--force"]),
    "fewer epochs": ("--epochs 4", ["--epochs", "5", "4"]),
}


@pytest.mark.parametrize("case", RESUME_REFUSED)
def test_a_resumed_training_keeps_what_changes_its_result(
    case: str, straight: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags, words = RESUME_REFUSED[case]
    before = {path: path.read_bytes() for path in straight.rglob("*") if path.is_file()}
    assert main(["train", "--resume", "--out", str(straight), *flags.split()]) == 2
    error = _error(capfd)
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert {path: path.read_bytes() for path in straight.rglob("*") if path.is_file()} == before
