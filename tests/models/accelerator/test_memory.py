"""The estimate of device memory, and what is decided by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from data_pipeline.batches import TrainingBatches
from models.accelerator.memory import CONTEXT_BYTES, estimate_memory, photos_fit
from models.training.device import free_device_memory, resolve_compute
from models.training.loop import Training
from models.training.settings import TrainingSettings

GB = 10**9
CUDA = torch.device("cuda")


def _settings(generator: int, discriminator: int, batch_size: int = 16) -> TrainingSettings:
    return TrainingSettings(
        generator_complexity=generator,
        discriminator_complexity=discriminator,
        image_size=256,
        batch_size=batch_size,
    )


def test_activations_grow_with_batch_and_width_and_weights_with_width_alone() -> None:
    four, eight = (estimate_memory(_settings(16, 4, n), n_photos=0) for n in (4, 8))
    assert eight.activations == pytest.approx(2 * four.activations, rel=0.01)
    assert (eight.weights, eight.optimizers) == (four.weights, four.optimizers)
    wide = estimate_memory(_settings(32, 4, 4), n_photos=0)
    assert wide.activations > 1.3 * four.activations
    assert wide.weights > four.weights


def test_all_parts_are_counted() -> None:
    memory = estimate_memory(_settings(16, 4), n_photos=1000)
    assert memory.photos == 1000 * 3 * 256**2
    cropped = estimate_memory(replace(_settings(16, 4), crop_area=0.4), n_photos=1000)
    assert cropped.photos == 1000 * 3 * 320**2
    # 224 c^2 + 45 c and 128 c^2 + 37 c + c d^2 + 1 numbers of four bytes.
    generator, discriminator = 224 * 16**2 + 45 * 16, 128 * 4**2 + 37 * 4 + 4 * 256**2 + 1
    assert memory.weights == 4 * (2 * generator + discriminator)
    assert memory.optimizers == 4 * 3 * (generator + discriminator)
    parts = memory.weights + memory.optimizers + memory.activations + memory.captures
    assert memory.total == parts + memory.photos + CONTEXT_BYTES


@pytest.mark.parametrize(
    ("free", "total", "gpu_share", "n_photos", "fit"),
    [
        (80 * GB, 80 * GB, 1.0, 10_000, True),
        (80 * GB, 80 * GB, 0.125, 10_000, True),
        (80 * GB, 80 * GB, 0.125, 100_000, False),  # others need the rest
        (80 * GB, 80 * GB, 1.0, 100_000, True),
        (2 * GB, 80 * GB, 1.0, 10_000, False),  # taken by something else
    ],
)
def test_photos_lie_on_the_gpu_where_the_whole_training_fits(
    free: int,
    total: int,
    gpu_share: float,
    n_photos: int,
    fit: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, total))
    assert photos_fit(_settings(30, 4), CUDA, n_photos=n_photos, gpu_share=gpu_share) == fit


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_photos_stay_in_the_machines_memory_elsewhere(device: str) -> None:
    assert not photos_fit(_settings(30, 4), torch.device(device), n_photos=1, gpu_share=1.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("widths", [(16, 4), (48, 16)])
def test_the_estimate_is_an_upper_one(widths: tuple[int, int]) -> None:
    settings, n_photos = _settings(*widths), 64
    codes = np.zeros((n_photos, 3, 256, 256), np.uint8)
    cache: Any = type("Cache", (), {"pixels": codes, "image_size": 256})
    batches = TrainingBatches(cache, np.arange(n_photos), batch_size=16, seed=0, resident_on=CUDA)
    free_device_memory()
    torch.cuda.reset_peak_memory_stats()
    training = Training(settings, batches, resolve_compute("cuda", "float32"))
    for _ in range(6):  # called, recorded and replayed
        list(training.run_epoch())
    assert torch.cuda.max_memory_allocated() <= estimate_memory(settings, n_photos=n_photos).tensors
