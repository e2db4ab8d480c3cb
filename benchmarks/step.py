"""How much faster is our training step than the plain reference, in one process and run?

    python -m benchmarks.step [--device cuda] [--threads 2] [--repetitions 7]

Prints a table and, as the last line, the same as JSON. The steps are interleaved, so that a noisy
machine slows all of them alike; ratios are of medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.reference import ReferenceTraining
from models.training.device import DEVICES, DeviceName, resolve_compute, synchronize
from models.training.settings import Precision, TrainingSettings
from models.training.step import AdversarialPair
from models.training.weight_average import WeightAverage

#: generator width, discriminator width, pixels a side, batch size
CASES = ((30, 4, 64, 16), (30, 4, 128, 16), (72, 14, 256, 8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{options.threads} threads, torch {torch.__version__}, {options.device}; "
        "seconds a step, medians"
    )
    print(f"{'widths':>8} {'side':>5} {'batch':>5} {'reference':>10} {'float32':>16} {'auto':>16}")
    results = []
    for case in CASES:
        result = measure(*case, repetitions=options.repetitions, device=options.device)
        results.append(result)
        print(
            f"{case[0]:>5},{case[1]:>2} {case[2]:>5} {case[3]:>5} {result['reference_sec']:>10.3f}"
            + "".join(
                f"{result[f'{name}_sec']:>9.3f} {result[f'{name}_ratio']:>5.2f}x"
                for name in ("float32", "auto")
            ),
            flush=True,
        )
    print(json.dumps({"threads": options.threads, "torch": torch.__version__, "cases": results}))


def measure(
    generator: int,
    discriminator: int,
    image_size: int,
    batch_size: int,
    *,
    repetitions: int,
    device: DeviceName = "cpu",
) -> dict[str, Any]:
    torch.manual_seed(0)
    place = resolve_compute(device).device
    L_N1HW, ab_N2HW = _noise(batch_size, image_size, place)
    reference = ReferenceTraining(generator, discriminator, image_size=image_size, device=place)
    steps: dict[str, Callable[[], None]] = {"reference": lambda: reference.step(L_N1HW, ab_N2HW)}
    precisions: tuple[Precision, ...] = ("float32", "auto")
    for precision in precisions:
        settings = TrainingSettings(
            generator_complexity=generator,
            discriminator_complexity=discriminator,
            image_size=image_size,
            batch_size=batch_size,
            precision=precision,
        )
        steps[precision] = _our_step(settings, L_N1HW, ab_N2HW, device)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repetition in range(repetitions + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            synchronize(place)
            if repetition:  # the first of each warms up
                seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "widths": [generator, discriminator],
        "image_size": image_size,
        "batch_size": batch_size,
        **{f"{name}_sec": round(value, 4) for name, value in medians.items()},
        **{f"{name}_ratio": round(medians["reference"] / medians[name], 2) for name in precisions},
    }


def step_on_noise(
    generator: int,
    discriminator: int,
    image_size: int,
    batch_size: int,
    *,
    device: DeviceName = "cpu",
) -> Callable[[], None]:
    """A step of ours on one batch of noise."""
    settings = TrainingSettings(
        generator_complexity=generator,
        discriminator_complexity=discriminator,
        image_size=image_size,
        batch_size=batch_size,
    )
    place = resolve_compute(device).device
    return _our_step(settings, *_noise(batch_size, image_size, place), device)


def _noise(batch_size: int, image_size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    L_N1HW = torch.rand(batch_size, 1, image_size, image_size) * 2 - 1
    ab_N2HW = torch.rand(batch_size, 2, image_size, image_size) * 0.6 - 0.3
    return L_N1HW.to(device), ab_N2HW.to(device)


def _our_step(
    settings: TrainingSettings, L_N1HW: Tensor, ab_N2HW: Tensor, device: DeviceName
) -> Callable[[], None]:
    """A step as the training loop calls it: batch placed, both networks trained, average moved."""
    compute = replace(resolve_compute(device, settings.precision), captures=False)
    pair = AdversarialPair(settings, compute)
    average = WeightAverage(pair.generator, half_life_images=settings.ema_images)
    average.schedule(batch_size=settings.batch_size, images_seen=10_000)

    def step() -> None:
        pair.step(
            L_N1HW.contiguous(memory_format=compute.memory_format),
            ab_N2HW.contiguous(memory_format=compute.memory_format),
            adversarial=True,
            train_discriminator=True,
        )
        average.update()

    return step


if __name__ == "__main__":
    main()
