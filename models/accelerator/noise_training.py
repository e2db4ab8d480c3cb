"""A training on photos of noise: what a check or a measurement runs where no photos are at hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from data_pipeline.batches import TrainingBatches
from data_pipeline.cache.prepare import crop_side
from models.training.device import Compute
from models.training.loop import Training
from models.training.settings import TrainingSettings


def training_on_noise(settings: TrainingSettings, compute: Compute, *, steps: int) -> Training:
    """A training of `settings` with `steps` steps an epoch; its photos lie on its device."""
    n_photos, cropped = steps * settings.batch_size, settings.crop_area < 1
    side = crop_side(settings.image_size) if cropped else settings.image_size
    codes = np.random.default_rng(settings.seed).integers(
        0, 256, (n_photos, 3, side, side), np.uint8
    )
    cache: Any = SimpleNamespace(
        pixels=codes, crops=codes if cropped else None, image_size=settings.image_size
    )
    batches = TrainingBatches(
        cache,
        np.arange(n_photos),
        batch_size=settings.batch_size,
        seed=settings.seed,
        flip=settings.flip,
        crop_area=settings.crop_area,
        resident_on=compute.device,
    )
    return Training(settings, batches, compute)
