"""Trainings on real photos, for benchmarks of quality."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from torch import nn

from data_pipeline.batches import TrainingBatches, load_batch
from data_pipeline.cache.build import PhotoCache
from data_pipeline.split import split_by_content
from models.metrics.validation import validate
from models.training.device import DEVICES, DeviceName, resolve_compute
from models.training.loop import Training
from models.training.settings import TrainingSettings

METRICS = ("ab_swd", "grey_skill", "ab_hf_ratio", "colorfulness_gap")


def make_parser(doc: str, *, epochs: int) -> argparse.ArgumentParser:
    """A parser with the options that such benchmarks share."""
    parser = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    parser.add_argument("--images", required=True)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--json", type=Path)
    return parser


def start_training(
    cache: PhotoCache,
    settings: TrainingSettings,
    *,
    device: DeviceName,
    photos: int | None = None,
) -> Training:
    """A training that has not begun, on the first `photos` of the training split."""
    train = split_by_content(cache.hashes).train[:photos]
    batches = TrainingBatches(
        cache,
        train,
        batch_size=settings.batch_size,
        seed=settings.seed,
        flip=settings.flip,
        crop_area=settings.crop_area,
    )
    return Training(settings, batches, resolve_compute(device, settings.precision))


def validate_held_out(network: nn.Module, cache: PhotoCache) -> dict[str, Any]:
    """The metrics of a generator on the first 128 photos that are not trained on."""
    indices = split_by_content(cache.hashes).validation[:128]
    batches = (
        load_batch(cache, indices[start : start + 32]) for start in range(0, len(indices), 32)
    )
    return validate(network, batches, device=next(network.parameters()).device)
