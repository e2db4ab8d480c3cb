"""Small trainings and trials for the tests, and how to compare their states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_pipeline.cache.build import PhotoCache
from data_pipeline.split import split_by_content
from models.beginnings.shared_epoch import EpochStore
from models.metrics.objective import Objective
from models.training.device import Compute, resolve_compute
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining

TRIAL_EPOCHS = 3
HAS_BFLOAT16 = resolve_compute("cpu").dtype == torch.bfloat16
needs_bfloat16 = pytest.mark.skipif(not HAS_BFLOAT16, reason="no instructions for bfloat16")


def tiny_settings(**changes: Any) -> TrainingSettings:
    """32 px, widths 4 and 2, batches of 4, two steps a window."""
    values: dict[str, Any] = {
        "generator_complexity": 4,
        "discriminator_complexity": 2,
        "generator_lr": 2e-3,
        "discriminator_lr": 1e-3,
        "batch_size": 4,
        "image_size": 32,
        "window_steps": 2,
        "precision": "float32",
    }
    return TrainingSettings(**(values | changes))


def cpu(
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.channels_last,
) -> Compute:
    return Compute(device=torch.device("cpu"), dtype=dtype, memory_format=memory_format)


class ToyBatches:
    """Batches of random photos whose colours follow from their lightness, by (seed, epoch)."""

    def __init__(self, settings: TrainingSettings, *, steps: int = 3, fixed: bool = False) -> None:
        self.settings = settings
        self.steps_per_epoch = steps
        self._fixed = fixed

    def draws(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(self.steps_per_epoch):
            key = (self.settings.seed_of(epoch), 0 if self._fixed else 1 + epoch * 1000 + step)
            yield toy_batch(self.settings.batch_size, self.settings.image_size, seed=key)

    def decode(self, *draw: Tensor) -> tuple[Tensor, Tensor]:
        L_N1HW, ab_N2HW = draw
        return L_N1HW, ab_N2HW


def toy_batch(n_photos: int, side: int, *, seed: Any) -> tuple[Tensor, Tensor]:
    """L_N1HW in [-1, 1] in coarse blocks, and ab_N2HW, which is a function of L."""
    rng = np.random.default_rng(seed)
    blocks = torch.from_numpy(rng.uniform(-1, 1, (n_photos, 1, 4, 4)).astype(np.float32))
    L_N1HW = blocks.repeat_interleave(side // 4, dim=2).repeat_interleave(side // 4, dim=3)
    return L_N1HW, torch.cat([0.5 * L_N1HW, 0.2 - 0.3 * L_N1HW], dim=1)


def differences(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two nested states differ, bit by bit; clock readings (`seconds`) do not count."""
    if re.search(r"seconds$", place):
        return []
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        same = one.dtype == other.dtype and torch.equal(one, other)
    elif isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [d for key in one for d in differences(one[key], other[key], f"{place}/{key}")]
    elif isinstance(one, list | tuple) and type(one) is type(other) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{place}/{i}")]
    else:
        same = type(one) is type(other) and (one == other or (one != one and other != other))
    return [] if same else [place or "/"]


def new_trial(
    folder: Path,
    cache: PhotoCache,
    *,
    settings: TrainingSettings | None = None,
    max_epochs: int = TRIAL_EPOCHS,
    dtype: torch.dtype = torch.float32,
    beginnings: EpochStore | None = None,
) -> TrialTraining:
    return TrialTraining(
        folder,
        settings=settings or tiny_settings(),
        max_epochs=max_epochs,
        cache=cache,
        split=split_by_content(cache.hashes),
        objective=Objective(),
        compute=cpu(dtype),
        max_validation_photos=12,
        beginnings=beginnings,
    )


def run_to_end(trial: TrialTraining) -> list[dict[str, Any]]:
    reports = []
    while not trial.done:
        reports.append(trial.run_epoch().to_dict())
    return reports
