"""Where the time of an epoch of a trial goes: training, validation, checkpoint."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.gpu.cases import cases, settings_of
from data_pipeline.split import Split
from models.metrics.objective import Objective
from models.training.checkpoint import save_checkpoint
from models.training.device import resolve_compute, synchronize
from models.training.trial import TrialTraining

#: photos that train and that validate
_PHOTOS, _VALIDATION = 1920, 128


def measure(device: str, *, tiny: bool) -> Iterator[dict[str, Any]]:
    train, validation = (16, 8) if tiny else (_PHOTOS, _VALIDATION)
    for case in cases(tiny=tiny):
        settings = settings_of(case, "auto")
        side = settings.image_size
        codes = np.random.default_rng(0).integers(
            0, 256, (train + validation, 3, side, side), np.uint8
        )
        cache: Any = SimpleNamespace(pixels=codes, image_size=side)
        compute = resolve_compute(device, settings.precision)
        with tempfile.TemporaryDirectory() as folder:
            trial = TrialTraining(
                Path(folder),
                settings=settings,
                max_epochs=3,
                cache=cache,
                split=Split(np.arange(train), np.arange(train, train + validation), np.arange(0)),
                objective=Objective(),
                compute=compute,
                max_validation_photos=validation,
            )
            trial.run_epoch()
            trained, started = trial.training.seconds, time.perf_counter()
            trial.run_epoch()
            whole, trained = time.perf_counter() - started, trial.training.seconds - trained
            synchronize(compute.device)
            started = time.perf_counter()
            save_checkpoint(Path(folder) / "again.pt", trial.training.state_dict())
            checkpoint = time.perf_counter() - started
        yield {
            "case": case,
            "photos": train,
            "validation_photos": validation,
            "epoch_sec": whole,
            "training_sec": trained,
            "checkpoint_sec": checkpoint,
            "validation_and_rest_sec": whole - trained - checkpoint,
            "images_per_sec": train / whole,
        }
