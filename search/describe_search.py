"""`chromatune search --describe`: what a search would do, and about how long and how large it gets.

Nothing is started: a few configurations are drawn at random and train some steps in this process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import optuna
import torch

from data_pipeline.batches import TrainingBatches, load_batch
from data_pipeline.cache.build import PhotoCache, open_cache
from data_pipeline.parallel import usable_cores
from data_pipeline.split import Split, split_by_content
from models.metrics.discrimination import HeldOutDiscrimination
from models.metrics.validation import validate
from models.networks.complexity import network_sizes
from models.training.device import gpu_memory, resolve_compute
from models.training.loop import Training
from models.training.sample_grid import N_PHOTOS
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.progress.time_left import rough
from search.run.ended_trials import KEPT_OPTIMIZERS
from search.run.photos import SearchPhotos, describe_photos
from search.space import Choice, Fixed, Range
from search.study.creation import distributions
from search.tune.resources import Slots, plan_slots

#: configurations that are drawn, timed steps of each, and photos of its validation
DRAWS, STEPS, VALIDATED = 4, 3, 16
_FLOAT_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a search needs at most, when no trial is stopped early."""

    #: a training step and a validation after an epoch, means over the configurations
    step_sec: float
    validation_sec: float
    steps_per_epoch: float
    total_sec: float
    disk_bytes: float


def describe_search(config: SearchConfig, photos: SearchPhotos) -> str:
    """The resolved search for people, one line for each fact.

    Raises InputError when the asked device is not there.
    """
    slots = _slots(config)
    estimate = estimate_search(config, photos, slots)
    repeats = f", then {config.finalists} x {config.repeats} repeats" * bool(config.finalists)
    limit = "" if config.time_budget_sec is None else f", or {rough(config.time_budget_sec)}"
    guards = " and ".join(config.guards)
    measured = (
        f"{estimate.step_sec:.3g} s a step, {estimate.validation_sec:.3g} s a validation; "
        "less where trials are stopped early"
    )
    rows = [
        ("photos", f"{config.images}: {describe_photos(photos.summary)}"),
        ("trials", f"{config.trials}{repeats}{limit}; {slots.concurrency} at the same time"),
        ("epochs", f"up to {config.max_epochs} a trial, {estimate.steps_per_epoch:.0f} steps each"),
        ("objective", f"{config.objective}{f', where {guards}' if guards else ''}"),
        *((name, _words(each)) for name, each in config.space.parameters.items()),
        ("time", f"at most about {rough(estimate.total_sec)}: {measured}"),
        ("disk", f"at most about {estimate.disk_bytes / 1e6:.0f} MB"),
    ]
    width = max(len(name) for name, _ in rows) + 2
    return "".join(f"{name:{width}}{text}\n" for name, text in rows)


def estimate_search(config: SearchConfig, photos: SearchPhotos, slots: Slots) -> Estimate:
    """Train some steps of a few configurations of the space, one after the other, and add up."""
    torch.set_num_threads(min(slots.threads, usable_cores()))
    drawn = draw_settings(config)
    steps_sec, validations_sec, steps = [], [], []
    for settings in drawn:
        cache = open_cache(photos.caches[settings.image_size])
        split = split_by_content(cache.hashes, validation_fraction=config.validation_fraction)
        n_validation = min(len(split.validation), config.max_validation_photos)
        step_sec, photo_sec = _probe(settings, cache, split, config.device)
        steps_sec.append(step_sec)
        validations_sec.append(photo_sec * n_validation)
        steps.append(len(split.train) // settings.batch_size)
    epoch_sec = sum(
        n * step + validation
        for n, step, validation in zip(steps, steps_sec, validations_sec, strict=True)
    ) / len(drawn)
    n_trials = config.trials + config.finalists * config.repeats
    return Estimate(
        step_sec=sum(steps_sec) / len(drawn),
        validation_sec=sum(validations_sec) / len(drawn),
        steps_per_epoch=sum(steps) / len(drawn),
        total_sec=n_trials * config.max_epochs * epoch_sec / slots.concurrency,
        disk_bytes=disk_bytes(drawn, n_trials),
    )


def draw_settings(config: SearchConfig) -> list[TrainingSettings]:
    """Settings of trials that are drawn at random from the space."""
    space = config.space
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=config.seed))
    finally:
        optuna.logging.set_verbosity(verbosity)
    drawn = []
    for _ in range(DRAWS if space.sampled else 1):
        drawn.append(space.settings(study.ask(distributions(space)).params, seed=0))
    return drawn


def disk_bytes(drawn: Sequence[TrainingSettings], n_trials: int) -> float:
    """Bytes of `n_trials` complete trials whose sizes are as those of `drawn` in the mean."""
    kept = min(n_trials, KEPT_OPTIMIZERS)
    total = 0.0
    for settings in drawn:
        sizes = network_sizes(
            settings.generator_complexity, settings.discriminator_complexity, settings.image_size
        )
        generator = _FLOAT_BYTES * sizes.generator_parameters
        both = generator + _FLOAT_BYTES * sizes.discriminator_parameters
        # best.pt, and in checkpoint.pt the weights and the average of the generator's
        weights = generator + both + (generator if settings.ema_images else 0)
        # Grey, coloured and true photos; TensorBoard has them again.
        pictures = 2 * 3 * N_PHOTOS * 3 * settings.image_size**2
        # Adam keeps two moments of each weight.
        total += n_trials * (weights + pictures) + kept * 2 * both
    return total / len(drawn)


def _probe(
    settings: TrainingSettings, cache: PhotoCache, split: Split, device: str
) -> tuple[float, float]:
    """Seconds of a training step against a discriminator, and of the validation of a photo."""
    compute = resolve_compute(device, settings.precision)
    # A window of one step ends when the device has done it.
    asked = replace(settings, window_steps=1, pretrain_epochs=0)
    batches = TrainingBatches(
        cache,
        split.train,
        batch_size=settings.batch_size,
        seed=0,
        flip=settings.flip,
        crop_area=settings.crop_area,
    )
    training = Training(asked, batches, compute)
    steps = training.run_epoch()
    next(steps)  # the first one also sets things up
    started = time.perf_counter()
    n_steps = len(list(islice(steps, STEPS)))
    step_sec = (time.perf_counter() - started) / max(1, n_steps)
    rows = split.validation[:VALIDATED]
    started = time.perf_counter()
    judged = None
    if settings.adversarial:
        judged = HeldOutDiscrimination(training.pair.discriminator, batch_size=settings.batch_size)
    photos = [load_batch(cache, rows)]
    validate(training.generator, photos, device=compute.device, discrimination=judged)
    return step_sec, (time.perf_counter() - started) / len(rows)


def _slots(config: SearchConfig) -> Slots:
    """How this machine would be shared out, as Ray would count it."""
    cores = usable_cores()
    gpus = torch.cuda.device_count() or int(torch.backends.mps.is_available())
    return plan_slots(
        config,
        cpus=cores,
        gpus=gpus,
        largest=cores,
        trials=config.trials,
        gpu_memory=gpu_memory(),
    )


def _words(parameter: Range | Choice | Fixed) -> str:
    match parameter:
        case Range(low, high, log, step):
            scale = ", logarithmic" if log else f", in steps of {step:g}" if step else ""
            return f"{low:g} to {high:g}{scale}"
        case Choice(values):
            return f"one of {', '.join(map(str, values))}"
        case Fixed(value):
            return str(value)
