"""How many images a second does one machine train: one trial on all cores, or a trial a core?

    python -m benchmarks.throughput [--device cuda] [--seconds 10] [--rounds 3] [--json FILE]

Each trial is a process of its own, as in a search, and takes steps as the training loop does, on
random photos in memory. Ways take turns; figures are medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.step import step_on_noise
from data_pipeline.parallel import usable_cores
from models.training.device import (
    DEVICES,
    DeviceName,
    resolve_compute,
    synchronize,
)

#: generator width, discriminator width, pixels a side, batch size
CASES = ((16, 4, 64, 16), (30, 4, 64, 16), (30, 4, 128, 16), (72, 14, 256, 8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cores = usable_cores()
    ways = {"one trial": (1, cores), "a trial a core": (cores, 1)}
    print(
        f"{cores} cores, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}; images a second"
    )
    titles = ("widths", "side", "batch", "one trial", "a trial a core", "ratio")
    print("{:>8} {:>5} {:>5} {:>10} {:>15} {:>6}".format(*titles))
    results = []
    for case in CASES:
        seen: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, (trials, threads) in ways.items():
                seen[name].append(
                    images_per_second(case, trials, threads, options.seconds, options.device)
                )
        one, packed = (statistics.median(seen[name]) for name in ways)
        results.append({"case": case, "one_trial": one, "trial_a_core": packed})
        print(
            f"{case[0]:>5},{case[1]:>2} {case[2]:>5} {case[3]:>5} {one:>10.1f} {packed:>15.1f} "
            f"{packed / one:>6.2f}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({"cores": cores, "cases": results}, indent=2) + "\n")


def images_per_second(
    case: tuple[int, int, int, int], trials: int, threads: int, seconds: float, device: DeviceName
) -> float:
    """Train in `trials` processes of `threads` threads at once; return their images a second."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(trials)
    with context.Pool(trials, initializer=_keep, initargs=(barrier,)) as pool:
        rates = pool.starmap(_train, [(case, threads, seconds, device)] * trials, chunksize=1)
    return float(sum(rates))


_kept: dict[str, Any] = {}


def _keep(barrier: Any) -> None:
    _kept["barrier"] = barrier


def _train(
    case: tuple[int, int, int, int], threads: int, seconds: float, device: DeviceName
) -> float:
    torch.set_num_threads(threads)
    step = step_on_noise(*case, device=device)
    place = resolve_compute(device).device
    step()  # warms up
    synchronize(place)
    _kept["barrier"].wait()
    started = time.perf_counter()
    steps = 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    synchronize(place)
    # Each process has a rate of its own: they do not end at the same moment.
    return steps * case[3] / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
