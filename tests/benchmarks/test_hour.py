"""The trainings of an ablation: schedules, plans, kills."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchmarks.hour
from benchmarks.hour import PLAN, ROW, Hour, table
from benchmarks.hour_candidates import CANDIDATES
from benchmarks.step_times import Photos, StepTimes
from data_pipeline.errors import InputError
from models.bundle.store import load_bundle
from models.training.checkpoint import load_checkpoint
from search.run.directory import read_json, read_rows
from tests.models.toys import differences

MINUTES = 0.001


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHROMATUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return Photos.open("synthetic:48", 32)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, photos: Photos) -> Path:
    """A folder in which `new` was trained and nothing else."""
    out = tmp_path_factory.mktemp("out")
    assert Hour("new", 1, photos, out=out, minutes=MINUTES).run()
    return out


@given(st.sampled_from(sorted(CANDIDATES)), st.integers(2, 200))
def test_schedules_stretch_with_the_epochs(name: str, epochs: int) -> None:
    candidate = CANDIDATES[name]
    settings = candidate.scheduled(epochs, image_size=128, seed=3)
    assert (settings.image_size, settings.seed) == (128, 3)
    if candidate.epochs is not None:
        assert settings == replace(candidate.settings, image_size=128, seed=3)
        return
    assert settings.pretrain_epochs == round(candidate.beginning * epochs)
    decays = (epochs - 1) // settings.lr_decay_every_epochs
    assert decays <= candidate.decays
    joined_after = settings.pretrain_epochs // settings.lr_decay_every_epochs
    rate = settings.discriminator_lr * settings.lr_decay**joined_after
    assert math.isclose(rate, candidate.settings.discriminator_lr)


def test_the_table_names_changes_of_the_new_recipe_only_where_they_are() -> None:
    """Candidates that share a beginning have one: all that trains it is the same."""
    epochs = 20
    base = CANDIDATES["new"].scheduled(epochs, image_size=64, seed=0)
    later = ("discriminator_complexity", "discriminator_lr", "adversarial_factor")
    for name, candidate in CANDIDATES.items():
        if candidate.epochs_of:
            assert candidate.epochs_of == "new"
            settings = candidate.scheduled(epochs, image_size=64, seed=0)
            alike = replace(settings, **{each: getattr(base, each) for each in later})
            assert alike == base, name


@given(st.floats(1e-3, 1.0), st.floats(1e-3, 1.0), st.integers(1, 200), st.floats(0.0, 1.0))
def test_the_epochs_fit_into_the_time(l1: float, more: float, steps: int, beginning: float) -> None:
    times = StepTimes(l1, l1 + more, validation=1.0)
    epochs = times.epochs_in(3600.0, steps=steps, beginning=beginning, adversarial=True)
    epoch = steps * (l1 + (1.0 - beginning) * more) + 1.0
    assert epochs == 2 or epochs * epoch <= 3600.0 * (1 + 1e-9)
    assert (epochs + 1) * epoch > 3600.0 * (1 - 1e-9)
    assert epochs <= times.epochs_in(3600.0, steps=steps, beginning=beginning, adversarial=False)


def test_a_training_ends_with_a_bundle_and_a_row(finished: Path, photos: Photos) -> None:
    row = read_json(finished / "new-s1" / ROW)
    plan = read_json(finished / "new-s1" / PLAN)
    assert row["epochs"] == plan["epochs"] == len(read_rows(finished / "new-s1/validation.jsonl"))
    assert plan["times"]["adversarial_step"] > plan["times"]["l1_step"] > 0.0
    assert row["failed"] is None
    bundle = load_bundle(finished / "bundles" / "new-s1")
    assert bundle.config["epoch"] == row["best_epoch"]
    assert bundle.config["metrics"] == row["metrics"]
    header, _, line = "\n".join(table([row])).splitlines()
    assert header.count("|") == line.count("|")
    # Nothing is done twice.
    before = (finished / "new-s1" / "checkpoint.pt").stat().st_mtime_ns
    assert Hour("new", 1, photos, out=finished, minutes=MINUTES).run() == row
    assert (finished / "new-s1" / "checkpoint.pt").stat().st_mtime_ns == before


def test_a_killed_training_ends_as_an_uninterrupted_one(
    tmp_path: Path, finished: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new-s1").mkdir()
    shutil.copy(finished / "new-s1" / PLAN, tmp_path / "new-s1" / PLAN)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(benchmarks.hour, "append_report", die)  # after an epoch's checkpoint
        with pytest.raises(KeyboardInterrupt):
            Hour("new", 1, photos, out=tmp_path, minutes=MINUTES).run()
    row = Hour("new", 1, photos, out=tmp_path, minutes=MINUTES).run()
    assert row is not None
    expected = read_json(finished / "new-s1" / ROW)
    for name in ("epochs", "best_epoch", "metrics", "penalized_objective"):
        assert row[name] == expected[name]
    states = [load_checkpoint(out / "new-s1" / "checkpoint.pt") for out in (tmp_path, finished)]
    assert differences(*(state["training"] for state in states)) == []
    epochs = [each["epoch"] for each in read_rows(tmp_path / "new-s1" / "validation.jsonl")]
    assert epochs == list(range(1, row["epochs"] + 1))


def test_candidates_share_their_beginning(finished: Path, photos: Photos) -> None:
    row = Hour("new-factor-05", 1, photos, out=finished, minutes=MINUTES).run()
    assert row is not None
    assert row["epochs"] == read_json(finished / "new-s1" / PLAN)["epochs"]
    assert row["shared_epochs"] == row["settings"]["pretrain_epochs"] > 0


def test_another_length_is_refused(finished: Path, photos: Photos) -> None:
    with pytest.raises(InputError, match="take another --out"):
        Hour("new", 1, photos, out=finished, minutes=2 * MINUTES).run()


def test_one_process_at_a_training(finished: Path, photos: Photos) -> None:
    with benchmarks.hour._alone(finished / "new-s1" / "lock") as alone:
        assert alone
        assert Hour("new", 1, photos, out=finished, minutes=MINUTES).run() is None
    assert Hour("new", 1, photos, out=finished, minutes=MINUTES).run() is not None
