"""What a training of `benchmarks.hour` costs in processor time, by which its length is chosen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.recordings.partition import assign
from data_pipeline.batches import TrainingBatches, load_batch
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import Split
from models.metrics.validation import validate
from models.training.device import resolve_compute
from models.training.loop import Training
from models.training.settings import TrainingSettings

#: of the steps that are timed, beside those before them that set things up
STEPS, WARM_UP_STEPS = 15, 3
VALIDATION_BATCH = 32


class Photos(NamedTuple):
    """The photos of all trainings and how they are divided; none are for testing."""

    cache: PhotoCache
    split: Split

    @classmethod
    def open(cls, images: str, side: int) -> Photos:
        """Build or find the cache of a folder and divide its photos."""
        cache = build_cache(open_source(images), image_size=side, crops=True)
        rows = assign(cache.hashes)
        choose = np.concatenate([rows["choose_a"], rows["choose_b"]])
        return cls(cache, Split(train=rows["train"], validation=choose, test=rows["test"][:0]))


class StepTimes(NamedTuple):
    """Processor seconds of a training."""

    l1_step: float
    adversarial_step: float
    validation: float

    def epochs_in(self, seconds: float, *, steps: int, beginning: float, adversarial: bool) -> int:
        """How many epochs of so many steps fit, at least 2."""
        l1_share = beginning if adversarial else 1.0
        step = l1_share * self.l1_step + (1.0 - l1_share) * self.adversarial_step
        return max(2, int(seconds / (steps * step + self.validation)))


def time_steps(settings: TrainingSettings, photos: Photos) -> StepTimes:
    """Median processor seconds of a step of either kind, and those of a validation."""
    adversarial = replace(settings, pretrain_epochs=0, window_steps=1)
    seconds = []
    for each in (replace(adversarial, adversarial_factor=0.0), adversarial):
        batches = TrainingBatches(
            photos.cache,
            photos.split.train,
            batch_size=each.batch_size,
            seed=each.seed,
            flip=each.flip,
            crop_area=each.crop_area,
        )
        training = Training(each, batches, resolve_compute("cpu", each.precision))
        steps = _steps_without_end(training)
        timed = [_seconds_of(steps) for _ in range(WARM_UP_STEPS + STEPS)]
        seconds.append(statistics.median(timed[WARM_UP_STEPS:]))
    choose = photos.split.validation
    started = time.process_time()
    batch = load_batch(photos.cache, choose[:VALIDATION_BATCH])
    validate(training.generator, [batch], device=training.compute.device)
    validation = (time.process_time() - started) * len(choose) / len(batch[0])
    return StepTimes(seconds[0], seconds[1], validation)


def _steps_without_end(training: Training) -> Iterator[object]:
    while True:
        yield from training.run_epoch()  # a window is one step


def _seconds_of(steps: Iterator[object]) -> float:
    started = time.process_time()
    next(steps)
    return time.process_time() - started
