"""A trial that goes on from a shared beginning equals one that trained all of it alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from data_pipeline.cache.build import PhotoCache
from models.beginnings.folder_store import FolderStore
from models.training.checkpoint import load_checkpoint
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining
from tests.models.toys import differences, new_trial, run_to_end, tiny_settings

EPOCHS = 5
NOTHING_SHARED = {"shared_epochs": 0, "seconds_saved": 0.0}


def branch(pretrain_epochs: int = 3, **changes: Any) -> TrainingSettings:
    return tiny_settings(
        **{"pretrain_epochs": pretrain_epochs, "pretrain_seed": 7, "ema_images": 40, **changes}
    )


#: trials with one beginning that differ in all that does not touch it
FIRST = branch(seed=1)
SECOND = branch(
    seed=2, discriminator_complexity=3, discriminator_lr=3e-4, adversarial_factor=0.3,
    discriminator_every=2,
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "beginnings")


def open_trial(
    folder: Path, cache: PhotoCache, settings: TrainingSettings, store: FolderStore | None
) -> TrialTraining:
    return new_trial(folder, cache, settings=settings, max_epochs=EPOCHS, beginnings=store)


def comparable(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**report, **NOTHING_SHARED} for report in reports]


def assert_same(folder: Path, alone: Path) -> None:
    for name in ("checkpoint.pt", "best.pt"):
        one, other = load_checkpoint(folder / name), load_checkpoint(alone / name)
        for state in (one, other):
            if "last_report" in state:
                state["last_report"] |= NOTHING_SHARED
        assert differences(one, other) == []
    for name in ("samples.png", "originals.png"):
        assert (folder / name).read_bytes() == (alone / name).read_bytes()


@pytest.mark.parametrize("settings", [SECOND, replace(SECOND, pretrain_epochs=1)])
def test_a_branch_equals_a_trial_that_trained_alone(
    settings: TrainingSettings, tmp_path: Path, photo_cache: PhotoCache, store: FolderStore
) -> None:
    run_to_end(open_trial(tmp_path / "0000", photo_cache, FIRST, store))
    alone = run_to_end(open_trial(tmp_path / "alone", photo_cache, settings, None))
    branched = open_trial(tmp_path / "0001", photo_cache, settings, store)
    reports = run_to_end(branched)
    shared = settings.pretrain_epochs
    assert [report["shared_epochs"] for report in reports] == [
        min(epoch, shared) for epoch in range(1, EPOCHS + 1)
    ]
    assert reports[-1]["seconds_saved"] > 0
    assert differences(comparable(reports), comparable(alone)) == []
    assert_same(tmp_path / "0001", tmp_path / "alone")


@pytest.mark.parametrize("ran", [1, 2, 3, 4])
def test_a_branch_killed_and_resumed_equals_one_that_trained_alone(
    ran: int, tmp_path: Path, photo_cache: PhotoCache, store: FolderStore
) -> None:
    run_to_end(open_trial(tmp_path / "0000", photo_cache, FIRST, store))
    alone = run_to_end(open_trial(tmp_path / "alone", photo_cache, SECOND, None))
    first = open_trial(tmp_path / "0001", photo_cache, SECOND, store)
    reports = [first.run_epoch().to_dict() for _ in range(ran)]
    reports += run_to_end(open_trial(tmp_path / "0001", photo_cache, SECOND, store))
    assert reports[-1]["shared_epochs"] == 3
    assert reports[-1]["seconds_saved"] == reports[2]["seconds_saved"] > 0
    assert differences(comparable(reports), comparable(alone)) == []
    assert_same(tmp_path / "0001", tmp_path / "alone")


@pytest.mark.parametrize("ran", [1, 2])
def test_a_branch_takes_over_where_the_trainer_of_its_beginning_was_killed(
    ran: int, tmp_path: Path, photo_cache: PhotoCache, store: FolderStore
) -> None:
    killed = open_trial(tmp_path / "0000", photo_cache, FIRST, store)
    for _ in range(ran):
        killed.run_epoch()
    next(killed.training.run_epoch())
    alone = run_to_end(open_trial(tmp_path / "alone", photo_cache, SECOND, None))
    reports = run_to_end(open_trial(tmp_path / "0001", photo_cache, SECOND, store))
    assert reports[-1]["shared_epochs"] == ran
    assert differences(comparable(reports), comparable(alone)) == []
    assert_same(tmp_path / "0001", tmp_path / "alone")
    # And the first one, started again, takes what the second one has trained meanwhile.
    resumed = run_to_end(open_trial(tmp_path / "0000", photo_cache, FIRST, store))
    assert resumed[-1]["shared_epochs"] == 3 - ran


def test_a_longer_beginning_extends_a_shorter_one(
    tmp_path: Path, photo_cache: PhotoCache, store: FolderStore
) -> None:
    short, long = branch(2, seed=1), branch(4, seed=2, discriminator_complexity=3)
    run_to_end(open_trial(tmp_path / "0000", photo_cache, short, store))
    alone = run_to_end(open_trial(tmp_path / "alone", photo_cache, long, None))
    reports = run_to_end(open_trial(tmp_path / "0001", photo_cache, long, store))
    assert [report["shared_epochs"] for report in reports] == [1, 2, 2, 2, 2]
    assert differences(comparable(reports), comparable(alone)) == []
    other = run_to_end(open_trial(tmp_path / "0002", photo_cache, replace(long, seed=3), store))
    assert other[-1]["shared_epochs"] == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"generator_complexity": 5},
        {"generator_lr": 1e-3},
        {"dropout": 0.4},
        {"pretrain_seed": 8},
        {"ema_images": 0},
        {"ema_share": 0.2},
        {"flip": False},
        {"batch_size": 5},
    ],
)
def test_what_changes_the_generator_is_not_shared(
    changes: dict[str, Any], tmp_path: Path, photo_cache: PhotoCache, store: FolderStore
) -> None:
    open_trial(tmp_path / "0000", photo_cache, FIRST, store).run_epoch()
    other = open_trial(tmp_path / "0001", photo_cache, replace(FIRST, **changes), store)
    assert other.run_epoch().shared_epochs == 0


@pytest.mark.parametrize("content", [b"", b"half of a beg"])
def test_a_damaged_epoch_is_trained_again(
    content: bytes, tmp_path: Path, photo_cache: PhotoCache, store: FolderStore
) -> None:
    run_to_end(open_trial(tmp_path / "0000", photo_cache, FIRST, store))
    (second,) = (tmp_path / "beginnings").glob("*/epoch-002.pt")
    second.write_bytes(content)
    alone = run_to_end(open_trial(tmp_path / "alone", photo_cache, SECOND, None))
    reports = run_to_end(open_trial(tmp_path / "0001", photo_cache, SECOND, store))
    assert reports[-1]["shared_epochs"] == 1
    assert differences(comparable(reports), comparable(alone)) == []
    third = run_to_end(open_trial(tmp_path / "0002", photo_cache, replace(SECOND, seed=3), store))
    assert third[-1]["shared_epochs"] == 3


def test_a_training_without_a_seed_for_its_pretraining_is_what_it_was(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    """Also one that has such a seed but no pre-training: the report's studies."""
    plain = tiny_settings(seed=1)
    seeded = replace(plain, pretrain_seed=7)
    one = open_trial(tmp_path / "0000", photo_cache, plain, None).training
    other = open_trial(tmp_path / "0001", photo_cache, seeded, None).training
    assert differences(one.state_dict(), other.state_dict()) == []


def discriminator(folder: Path, cache: PhotoCache, **changes: Any) -> dict[str, Tensor]:
    training = open_trial(folder, cache, branch(**changes), None).training
    return training.pair.discriminator.state_dict()


def test_the_first_weights_depend_on_their_own_seed_and_width_only(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    reference = discriminator(tmp_path / "0", photo_cache, seed=1)
    wider = discriminator(tmp_path / "1", photo_cache, seed=1, generator_complexity=6)
    seeded = discriminator(tmp_path / "2", photo_cache, seed=1, pretrain_seed=8)
    other = discriminator(tmp_path / "3", photo_cache, seed=2)
    assert differences(wider, reference) == differences(seeded, reference) == []
    assert differences(other, reference) != []
