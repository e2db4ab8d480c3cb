"""Does bfloat16 cost quality on the device? Both precisions on the same painted landscapes."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.default_training import METRICS
from benchmarks.gpu.cases import PRECISIONS, cases, settings_of
from data_pipeline.batches import TrainingBatches, load_batch
from data_pipeline.lab import rgb_to_lab
from data_pipeline.synthetic.landscape import make_landscape
from models.metrics.validation import validate
from models.training.device import resolve_compute
from models.training.loop import Training

_PHOTOS, _VALIDATION, _EPOCHS, _SEEDS = 512, 64, 12, 3


def measure(device: str, *, tiny: bool) -> Iterator[dict[str, Any]]:
    train, held_out, epochs, seeds = (
        (8, 4, 1, 1) if tiny else (_PHOTOS, _VALIDATION, _EPOCHS, _SEEDS)
    )
    case = cases(tiny=tiny)[0]
    cache: Any = SimpleNamespace(pixels=landscapes(train + held_out, case[2]), image_size=case[2])
    for seed in range(seeds):
        for precision in PRECISIONS:
            settings = settings_of(case, precision)
            compute = resolve_compute(device, precision)
            batches = TrainingBatches(
                cache,
                np.arange(train),
                batch_size=settings.batch_size,
                seed=seed,
                resident_on=compute.device,
            )
            training = Training(settings, batches, compute)
            for _ in range(epochs):
                list(training.run_epoch())
            photos = load_batch(cache, np.arange(train, train + held_out), compute.device)
            metrics = validate(training.generator, [photos], device=compute.device)
            yield {
                "seed": seed,
                "precision": str(compute.dtype).removeprefix("torch."),
                **{name: metrics[name] for name in METRICS},
            }


def landscapes(n: int, side: int) -> np.ndarray:
    """Painted photos as the cache codes them, uint8 (n, 3, side, side)."""
    lab = np.stack([rgb_to_lab(make_landscape(seed, side)) for seed in range(n)])
    codes = lab * np.array([2.55, 1.0, 1.0]) + np.array([0.0, 128.0, 128.0])
    return codes.round().clip(0, 255).astype(np.uint8).transpose(0, 3, 1, 2).copy()
