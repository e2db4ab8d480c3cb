"""What random crops cost a step, and what they do to a generator that trains long.

    python -m benchmarks.crops --images DIR --out FOLDER [--epochs 40] [--seeds 3] [--areas 1 0.4]
    python -m benchmarks.crops --images DIR --cost [--image-size 64]

Trainings are L1 alone (`--factor 0`) or adversarial, one after the other and seed by seed, each in
a folder of its own: called again, the command goes on where it was stopped. A row an epoch is
printed and kept in FOLDER/*/validation.jsonl: the mean L1 of the training's steps, that of the
photos held out, and their metrics.
"""

from __future__ import annotations

import itertools
import statistics
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.default_training import METRICS, make_parser, start_training
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import split_by_content
from models.metrics.objective import Objective
from models.training.device import resolve_compute
from models.training.loop import Training
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining
from search.run.directory import append_rows, read_rows

#: steps of the measurement of costs, after those that set things up
WARM_UP_STEPS = 3
STEPS = 20


def main() -> None:
    parser = make_parser(__doc__, epochs=40)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--areas", type=float, nargs="+", default=[1.0, 0.4])
    parser.add_argument("--factor", type=float, default=0.0)
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    if not options.cost and options.out is None:
        parser.error("--out is needed, where trainings are kept, unless --cost is given")
    torch.set_num_threads(options.threads)
    cache = build_cache(open_source(options.images), image_size=options.image_size, crops=True)
    if options.cost:
        print_costs(cache, options)
        return
    columns = ("area", "seed", "epoch", "train_l1", "validation_l1", *METRICS)
    print(*(f"{name:>16}" for name in columns))
    for seed in range(options.seeds):
        for area in options.areas:
            for row in train(cache, area=area, seed=seed, options=options):
                print(*(f"{row[name]:>16.4g}" for name in columns), flush=True)


def train(cache: PhotoCache, *, area: float, seed: int, options: Namespace) -> list[dict[str, Any]]:
    """Train to the end, or on to it; a row an epoch."""
    folder: Path = options.out / f"area-{area:g}-factor-{options.factor:g}-seed-{seed}"
    settings = TrainingSettings(
        image_size=cache.image_size, crop_area=area, adversarial_factor=options.factor, seed=seed
    )
    trial = TrialTraining(
        folder,
        settings=settings,
        max_epochs=options.epochs,
        cache=cache,
        split=split_by_content(cache.hashes),
        objective=Objective(),
        compute=resolve_compute(options.device, settings.precision),
    )
    path = folder / "validation.jsonl"
    rows = read_rows(path)
    while True:
        report = trial.last_report
        # Stopped between a checkpoint and its row, it has the report still.
        if report is not None and report.epoch > len(rows):
            losses = [row["reconstruction"] for row in report.windows]
            row = {
                "area": area,
                "seed": seed,
                "epoch": report.epoch,
                "train_l1": statistics.mean(losses),
                "validation_l1": report.metrics["l1"],
                **report.metrics,
            }
            append_rows(path, [row])
            rows.append(row)
        if trial.done:
            return rows
        trial.run_epoch()


def print_costs(cache: PhotoCache, options: Namespace) -> None:
    """Median milliseconds of a batch, whole and cropped in turns, beside those of a step.

    Of the processor's time, not the clock's, so that neighbours count little.
    """
    areas = (1.0, min(options.areas))
    trainings = {
        area: start_training(
            cache,
            TrainingSettings(image_size=cache.image_size, crop_area=area, window_steps=1),
            device=options.device,
        )
        for area in areas
    }
    batches = {area: _batches_without_end(training) for area, training in trainings.items()}
    steps = trainings[1.0].run_epoch()  # a window is one step
    batch_ms: dict[float, list[float]] = {area: [] for area in areas}
    step_ms = []
    for _ in range(WARM_UP_STEPS + STEPS):
        step_ms.append(_milliseconds_of(steps))
        for area in areas:
            batch_ms[area].append(_milliseconds_of(batches[area]))
    step, whole, cropped = (
        statistics.median(values[WARM_UP_STEPS:]) for values in (step_ms, *batch_ms.values())
    )
    print(
        f"{cache.image_size} pixels, {options.threads} threads: a step {step:.1f} ms, a batch "
        f"{whole:.2f} ms whole and {cropped:.2f} ms cropped: {(cropped - whole) / step:+.2%} a step"
    )


def _batches_without_end(training: Training) -> Iterator[object]:
    for epoch in itertools.count():
        for draw in training.batches.draws(epoch):
            yield training.batches.decode(*draw)


def _milliseconds_of(iterator: Iterator[object]) -> float:
    started = time.process_time()
    next(iterator)
    return 1e3 * (time.process_time() - started)


if __name__ == "__main__":
    main()
