"""Test photos choose nothing: they reach no batch and no choice, and are measured at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_pipeline.cache.build import PhotoCache
from data_pipeline.split import split_by_content
from models.metrics.objective import Objective
from models.metrics.unseen import TEST_COLUMNS
from models.metrics.validation import validate_with_intervals
from models.networks.generator import Generator
from models.training.checkpoint import load_checkpoint
from models.training.trial import TrialTraining
from tests.models.toys import TRIAL_EPOCHS, cpu, differences, run_to_end, tiny_settings


class WatchedCache:
    """The photos of a cache, and which of them were read."""

    def __init__(self, cache: PhotoCache) -> None:
        self._cache = cache
        self.read: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    @property
    def pixels(self) -> Any:
        return _WatchedPhotos(self._cache.pixels, self.read)


class _WatchedPhotos:
    def __init__(self, photos: Any, read: set[int]) -> None:
        self._photos, self._read = photos, read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._photos, name)

    def take(self, rows: Any, **more: Any) -> Any:
        self._read.update(np.atleast_1d(rows).tolist())
        return self._photos.take(rows, **more)

    def __getitem__(self, rows: Any) -> Any:
        self._read.update(np.atleast_1d(rows).tolist())
        return self._photos[rows]


def make_trial(folder: Path, cache: Any) -> TrialTraining:
    return TrialTraining(
        folder,
        settings=tiny_settings(),
        max_epochs=TRIAL_EPOCHS,
        cache=cache,
        split=split_by_content(cache.hashes, test_fraction=0.2),
        objective=Objective(),
        compute=cpu(),
    )


def test_no_test_photo_is_read_before_all_is_chosen(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    watched = WatchedCache(photo_cache)
    trial = make_trial(tmp_path, watched)
    split = split_by_content(photo_cache.hashes, test_fraction=0.2)
    test = set(split.test.tolist())
    assert len(test) == 6
    for _ in range(TRIAL_EPOCHS - 1):
        assert trial.run_epoch().test == {}
    assert watched.read
    assert not watched.read & test
    watched.read.clear()
    last = trial.run_epoch()
    assert test <= watched.read
    assert set(last.test) == set(TEST_COLUMNS)
    # The best epoch is that of the validation photos alone.
    generator = Generator.from_settings(trial.settings)
    generator.load_state_dict(load_checkpoint(trial.best_path)["generator"])
    compute = trial.training.compute
    generator.to(memory_format=compute.memory_format)  # type: ignore[call-overload]
    figures = validate_with_intervals(generator, trial._batches(split.test), device=compute.device)
    assert last.test["test_set_swd"] == figures["set_swd"].value
    assert last.test["test_set_swd"] != last.best_metrics["set_swd"]


@pytest.mark.parametrize("ran", [2, TRIAL_EPOCHS])
def test_a_resumed_trial_says_the_same_of_the_test_photos(
    ran: int, tmp_path: Path, photo_cache: PhotoCache
) -> None:
    reports = run_to_end(make_trial(tmp_path / "whole", photo_cache))
    first = make_trial(tmp_path / "killed", photo_cache)
    for _ in range(ran):
        first.run_epoch()
    resumed = make_trial(tmp_path / "killed", photo_cache)
    assert differences(run_to_end(resumed), reports[ran:]) == []
    assert resumed.last_report is not None
    assert resumed.last_report.test == reports[-1]["test"]
