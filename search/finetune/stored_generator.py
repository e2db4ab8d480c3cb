"""A trial's best generator as its run keeps it, and the photos of the run to measure it on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from analysis.stored_run.run import Run
from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, open_cache
from data_pipeline.errors import InputError
from data_pipeline.split import split_by_content
from models.file_names import BEST
from models.metrics.unseen import MetricInterval
from models.metrics.validation import validate_with_intervals
from models.networks.generator import Generator
from models.training.checkpoint import decode_checkpoint
from models.training.settings import TrainingSettings
from search.run.photos import tested_of

Side = Literal["validation", "test"]


class StoredGenerator(NamedTuple):
    """What is exported of a trial."""

    #: epoch, metrics and settings of the best epoch, as they were stored
    checkpoint: dict[str, Any]
    settings: TrainingSettings
    generator: Generator


class RunPhotos(NamedTuple):
    """The photos of a run by what they were for."""

    cache: PhotoCache
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]

    def batches(self, side: Side) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (L_N1HW, ab_N2HW) in [-1, 1]."""
        rows = getattr(self, side)
        return (load_batch(self.cache, rows[i : i + 32]) for i in range(0, len(rows), 32))


def load_generator(run: Run, trial_id: str) -> StoredGenerator:
    """The best epoch of a trial; InputError for whatever else a stranger may have put there."""
    name = f"trials/{trial_id}/{BEST}"
    where = f"{run.folder.location}/{name}"
    content = run.folder.read(name)
    if content is None:
        raise InputError(f"a checkpoint must exist at {where}, but there is none")
    checkpoint = decode_checkpoint(content, where)
    try:
        settings = TrainingSettings.from_dict(checkpoint["settings"])
        generator = Generator.from_settings(settings)
        generator.load_state_dict(checkpoint["generator"])
        if not {"epoch", "metrics"} <= set(checkpoint) or not isinstance(
            checkpoint["metrics"], dict
        ):
            raise KeyError("epoch and metrics")
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{where} must hold a generator with its settings, but is damaged "
            f"({type(error).__name__}); restore it from a copy"
        ) from error
    return StoredGenerator(checkpoint, settings, generator)


def open_run_photos(run: Run, image_size: int) -> RunPhotos | None:
    """The photos of a run at a size in pixels; None where their cache has gone."""
    try:
        cache = open_cache(Path(run.data["cache"][str(image_size)]))
        split = split_by_content(
            cache.hashes,
            validation_fraction=run.config["validation_fraction"],
            test_fraction=run.config.get("test_fraction", 0.0),
            tested=tested_of(run.data),
        )
        validation = split.validation[: run.config.get("max_validation_photos", 128)]
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return RunPhotos(cache, validation, split.test)


def measure_unseen(generator: Generator, photos: RunPhotos | None) -> dict[str, MetricInterval]:
    """What a generator, on the CPU, is worth on the test photos; empty without any."""
    if photos is None or not len(photos.test):
        return {}
    device = torch.device("cpu")
    return validate_with_intervals(generator, photos.batches("test"), device=device)
