"""Seconds a step: the report's plain loop, ours called, ours recorded and replayed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from benchmarks.gpu.cases import PRECISIONS, cases, settings_of
from benchmarks.reference import ReferenceTraining
from models.accelerator.captured_steps import TIMED_STEPS, WARM_UP_STEPS, CapturedSteps
from models.accelerator.noise_training import training_on_noise
from models.training.device import Compute, resolve_compute, synchronize
from models.training.settings import TrainingSettings

#: steps of an epoch; more than it takes to come to replays
_STEPS = WARM_UP_STEPS + 2 * TIMED_STEPS + 2


def measure(device: str, *, tiny: bool) -> Iterator[dict[str, Any]]:
    seconds = 0.1 if tiny else 5.0
    for case in cases(tiny=tiny):
        plain = plain_step_sec(case, device, seconds=seconds)
        for precision in PRECISIONS:
            settings = settings_of(case, precision)
            compute = resolve_compute(device, precision)
            called, _ = step_sec(settings, replace(compute, captures=False), seconds=seconds)
            row: dict[str, Any] = {
                "case": case,
                "precision": str(compute.dtype).removeprefix("torch."),
                "plain_sec": plain,
                "called_sec": called,
                "called_over_plain": plain / called,
            }
            if compute.captures:
                chosen, replays = step_sec(settings, compute, seconds=seconds)
                row |= {
                    "chosen_sec": chosen,
                    "replays": replays,
                    "chosen_over_called": called / chosen,
                    "chosen_over_plain": plain / chosen,
                }
            yield row


def step_sec(
    settings: TrainingSettings, compute: Compute, *, seconds: float
) -> tuple[float, bool | None]:
    """Seconds a step of whole epochs, and whether steps were replayed, where they can be."""
    training = training_on_noise(settings, compute, steps=_STEPS)
    list(training.run_epoch())  # warms up, records and chooses
    before, started = training.step, time.perf_counter()
    while time.perf_counter() - started < seconds:
        list(training.run_epoch())  # ends with its losses read
    step = (time.perf_counter() - started) / (training.step - before)
    if not isinstance(training.steps, CapturedSteps):
        return step, None
    times = training.steps.times.values()
    return step, bool(times) and all(one.replay for one in times)


def plain_step_sec(case: tuple[int, int, int, int], device: str, *, seconds: float) -> float:
    """Seconds a step of the plain loop, on a batch that lies on the device already."""
    generator, discriminator, image_size, batch_size = case
    place = resolve_compute(device).device
    reference = ReferenceTraining(generator, discriminator, image_size=image_size, device=place)
    L_N1HW = torch.rand(batch_size, 1, image_size, image_size).to(place) * 2 - 1
    ab_N2HW = torch.rand(batch_size, 2, image_size, image_size).to(place) * 0.6 - 0.3
    reference.step(L_N1HW, ab_N2HW)
    synchronize(place)
    steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(10):
            reference.step(L_N1HW, ab_N2HW)
        synchronize(place)
        steps += 10
    return (time.perf_counter() - started) / steps
