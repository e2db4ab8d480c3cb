"""A small search that was run without Ray, and what the tests of `train` do with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.cache.build import open_cache
from data_pipeline.split import split_by_content
from models.bundle.store import FILE_NAMES
from models.bundle.weights import write_weights
from models.networks.generator import Generator
from models.training.device import resolve_compute
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining
from search.cli.main import main
from search.config import EarlyStopping, SearchConfig
from search.run.directory import RunFolder, read_json, read_rows, write_json
from search.run.ledger import Ledger
from search.run.photos import prepare_photos
from search.space import SearchSpace
from search.study.creation import open_study
from tests.models.toys import differences

#: epochs of a trial, and of a training of it
SEARCHED, EPOCHS = 2, 5
#: trial -> (what its process reports in place of an epoch, after so many epochs)
FAILURES = {"0001": ("out of memory", 0), "0002": ("non-finite loss: total was nan at step 4", 1)}


@contextmanager
def workshop(place: Path) -> Iterator[None]:
    """Cache in `place`, and the weights in place of the ONNX graph, which takes seconds."""

    def write(path: Path, generator: Generator, *, metadata: Any) -> None:
        write_weights(path, generator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHROMATUNE_CACHE", str(place / "cache"))
        patch.setattr("models.bundle.store.write_onnx", write)
        yield


def search_without_ray(place: Path) -> Path:
    """The run's folder: trial 0000 is complete, 0001 failed at once, 0002 diverged."""
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
        space=SearchSpace.parse(
            {
                "generator_complexity": {"low": 6, "high": 9},
                "discriminator_complexity": {"low": 5, "high": 8},
                "generator_lr": 5e-3,
                "ema_images": 20,
                "window_steps": 2,
                "precision": "float32",
            }
        ),
    )
    photos = prepare_photos(config)
    folder = RunFolder(place / "runs" / "mine")
    folder.create(config.to_dict(), command=["chromatune", "search"])
    write_json(folder.path / "data.json", photos.summary)
    ledger = Ledger(folder, open_study(folder.study_path, config), config)
    while opened := ledger.ask():
        trial = make_trial(folder.path, opened.trial_id, opened.settings, max_epochs=SEARCHED)
        failure, after = FAILURES.get(opened.trial_id, ("", SEARCHED))
        for _ in range(after):
            ledger.report(opened.trial_id, trial.run_epoch(), device="cpu")
        if failure:
            ledger.fail(opened.trial_id, failure)
        ledger.finish(opened.trial_id)
    folder.set_status("finished")
    return folder.path


def make_trial(
    run: Path, trial_id: str, settings: TrainingSettings, *, max_epochs: int
) -> TrialTraining:
    """The trial `trial_id` of a run of 32 pixels, as a worker of Ray makes it."""
    cache = open_cache(Path(read_json(run / "data.json")["cache"]["32"]))
    config = SearchConfig.from_dict(read_json(run / "config.json"))
    return TrialTraining(
        run / "trials" / trial_id,
        settings=settings,
        max_epochs=max_epochs,
        cache=cache,
        split=split_by_content(cache.hashes, validation_fraction=config.validation_fraction),
        objective=config.make_objective(),
        compute=resolve_compute("cpu", settings.precision),
    )


def settings_of(trial_folder: Path) -> TrainingSettings:
    return TrainingSettings.from_dict(read_json(trial_folder / "parameters.json"))


def train(run: Path, out: Path, *flags: str, epochs: int = EPOCHS) -> int:
    return main(["train", "--from", str(run), "--out", str(out), "--epochs", str(epochs), *flags])


def resume(out: Path, *flags: str) -> int:
    return main(["train", "--resume", "--out", str(out), *flags])


def assert_same_training(out: Path, expected: Path) -> None:
    """The same bundles byte for byte, and equal rows but for the clock."""
    assert {path.name for path in out.iterdir()} == {*FILE_NAMES, "training"}
    for name in FILE_NAMES:
        assert (out / name).read_bytes() == (expected / name).read_bytes(), name
    for name in ("curves.jsonl", "validation.jsonl"):
        rows, others = (read_rows(o / "training/trials/0000" / name) for o in (out, expected))
        assert differences(rows, others) == []


def error_of(capfd: pytest.CaptureFixture[str]) -> str:
    """What went to standard error; nothing may have gone to standard output."""
    captured = capfd.readouterr()
    assert captured.out == ""
    return captured.err


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
