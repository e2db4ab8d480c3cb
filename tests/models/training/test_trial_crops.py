"""Trials that see other crops of their photos in each epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data_pipeline.cache.build import PhotoCache, build_cache
from models.accelerator.noise_training import training_on_noise
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.trial import TrialTraining
from tests.models.toys import TRIAL_EPOCHS, cpu, differences, new_trial, run_to_end, tiny_settings

CROPPED = replace(tiny_settings(), crop_area=0.4)


@pytest.fixture
def cache(photo_cache: PhotoCache) -> PhotoCache:
    """The same photos, kept larger, too."""
    photos = photo_cache.path.parents[1]
    return build_cache(
        photos, image_size=32, crops=True, cache_dir=photo_cache.path.parent, workers=1
    )


@pytest.mark.parametrize("ran", [1, 2])
def test_a_resumed_trial_sees_the_crops_of_an_uninterrupted_one(
    ran: int, tmp_path: Path, cache: PhotoCache
) -> None:
    whole = new_trial(tmp_path / "whole", cache, settings=CROPPED)
    reports = run_to_end(whole)
    for _ in range(ran):
        new_trial(tmp_path / "resumed", cache, settings=CROPPED).run_epoch()
    next(new_trial(tmp_path / "resumed", cache, settings=CROPPED).training.run_epoch())  # killed
    resumed = new_trial(tmp_path / "resumed", cache, settings=CROPPED)
    assert differences(run_to_end(resumed), reports[ran:]) == []
    states = [load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("whole", "resumed")]
    assert len(reports) == TRIAL_EPOCHS
    assert differences(*states) == []


def test_crops_change_what_is_learnt_and_not_what_validates(
    tmp_path: Path, photo_cache: PhotoCache, cache: PhotoCache
) -> None:
    cropped = new_trial(tmp_path / "cropped", cache, settings=CROPPED)
    plain = new_trial(tmp_path / "plain", photo_cache)
    batches = [list(trial._batches(trial.validation_indices)) for trial in (cropped, plain)]
    assert differences(*batches) == []
    rows = [trial.run_epoch().to_dict()["windows"] for trial in (cropped, plain)]
    assert differences(*rows) != []


def test_a_trial_of_before_there_were_crops_goes_on_as_it_was(
    tmp_path: Path, photo_cache: PhotoCache, cache: PhotoCache
) -> None:
    def started(folder: Path, photos: PhotoCache) -> TrialTraining:
        new_trial(folder, photos).run_epoch()
        return new_trial(folder, photos)

    expected = run_to_end(started(tmp_path / "plain", photo_cache))
    first = started(tmp_path / "old", photo_cache)
    state = load_checkpoint(first.checkpoint_path)
    del state["settings"]["crop_area"]
    save_checkpoint(first.checkpoint_path, state)
    # Of whichever cache: the whole photos are the same.
    assert differences(run_to_end(new_trial(tmp_path / "old", cache)), expected) == []


def test_photos_on_a_device_are_cropped_there() -> None:
    training = training_on_noise(replace(CROPPED, batch_size=4), cpu(), steps=6)
    draws = list(training.batches.draws(0))
    assert [tensor.shape for tensor in draws[0]] == [(4,), (4,), (4, 3)]
    shapes = {tuple(t.shape for t in training.batches.decode(*draw)) for draw in draws}
    assert shapes == {((4, 1, 32, 32), (4, 2, 32, 32))}
    assert torch.isfinite(torch.tensor([r["reconstruction"] for r in training.run_epoch()])).all()
