"""Training steps beside a neighbour that keeps one core busy, and alone.

    python -m benchmarks.neighbour [--rounds 3] [--seconds 20] [--json FILE]

Each case is a process of its own, since OpenMP reads its settings when Torch is loaded: one thread;
all threads, which spin while they wait, as a training had them before; and what `chromatune train`
does: all or one of threads that sleep while they wait. Cases take turns; the ratios are those of
the medians over all rounds, images a second over those of one thread (in the same company).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from data_pipeline.parallel import THREAD_ENVIRONMENT, usable_cores

CASES = ("one thread", "all threads, spinning", "train")
COMPANY = ("alone", "beside a neighbour")


def main() -> None:
    """Measure and print; with --json, write the medians and all rounds there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(images_per_sec(options.case, options.image_size, options.seconds))
        return
    found: dict[str, dict[str, list[float]]] = {
        company: {case: [] for case in CASES} for company in COMPANY
    }
    for _ in range(options.rounds):
        for company, rates in found.items():
            for case in CASES:
                with neighbour() if company != "alone" else nullcontext():
                    rates[case].append(_in_a_process(case, options.image_size, options.seconds))
    print(f"{usable_cores()} cores, {options.image_size} pixels, load {os.getloadavg()[0]:.1f}")
    medians = {
        company: {case: statistics.median(values) for case, values in rates.items()}
        for company, rates in found.items()
    }
    for company, rates in medians.items():
        for case, rate in rates.items():
            print(f"{company:20} {case:24} {rate:7.1f} images/s  {rate / rates[CASES[0]]:.2f}")
    if options.json:
        document = {"cores": usable_cores(), "medians": medians, "rounds": found}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def images_per_sec(case: str, image_size: int, seconds: float) -> float:
    """Train for so long in this process, the measurements of `train` included."""
    from models.accelerator.noise_training import training_on_noise
    from models.accelerator.thread_choice import with_adaptive_threads
    from models.training.device import resolve_compute
    from models.training.settings import TrainingSettings

    compute = resolve_compute("cpu", "float32")
    if case == "train":
        compute = with_adaptive_threads(compute)
    training = training_on_noise(
        TrainingSettings(image_size=image_size, window_steps=1), compute, steps=1000
    )
    steps = training.run_epoch()  # a window is one step
    for _ in range(2):  # these set things up
        next(steps)
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        next(steps)
        done += 1
    return done * training.settings.batch_size / elapsed


def _in_a_process(case: str, image_size: int, seconds: float) -> float:
    chosen = {
        CASES[0]: {"OMP_NUM_THREADS": "1"},
        CASES[1]: {},
        CASES[2]: THREAD_ENVIRONMENT,
    }[case]
    outside = {name: text for name, text in os.environ.items() if not name.startswith("OMP_")}
    command = [sys.executable, "-m", "benchmarks.neighbour", "--case", case]
    command += ["--image-size", str(image_size), "--seconds", str(seconds)]
    done = subprocess.run(
        command, env={**outside, **chosen}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@contextmanager
def neighbour() -> Iterator[None]:
    """A process that computes without a pause."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


if __name__ == "__main__":
    main()
