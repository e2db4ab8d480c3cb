"""Does training in bfloat16 cost quality? The same steps in both precisions, on real photos.

    python -m benchmarks.precision --images DIR [--epochs 3] [--seeds 3] [--json FILE]

A pair of trainings shares a seed: weights at the start, order of the photos, flips. Asked is that
the means over seeds differ by less than the seeds do among themselves (standard deviation).
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from benchmarks.weight_average import METRICS, held_out
from data_pipeline.batches import TrainingBatches
from data_pipeline.cache import PhotoCache, build_cache
from data_pipeline.source import open_source
from data_pipeline.split import split_by_content
from models.device import resolve_compute
from models.settings import Precision, TrainingSettings
from models.training import Training
from models.validation import validate

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--images", required=True)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = build_cache(open_source(options.images), image_size=options.image_size)
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for precision in PRECISIONS:
            metrics = train(cache, precision, seed=seed, epochs=options.epochs)
            rows.append({"seed": seed, "precision": precision, **metrics})
            print(f"seed {seed}, {precision}: ab_swd {metrics['ab_swd']:.3f}", flush=True)
    print(f"{'metric':>18} {'float32':>9} {'bfloat16':>9} {'difference':>11} {'seeds':>9}")
    summary = []
    for metric in METRICS:
        values = {
            precision: [row[metric] for row in rows if row["precision"] == precision]
            for precision in PRECISIONS
        }
        full, half = (statistics.mean(values[precision]) for precision in PRECISIONS)
        spread = statistics.stdev(values["float32"]) if options.seeds > 1 else float("nan")
        summary.append({"metric": metric, "float32": full, "bfloat16": half, "seeds_sd": spread})
        print(f"{metric:>18} {full:>9.4f} {half:>9.4f} {half - full:>11.4f} {spread:>9.4f}")
    if options.json:
        options.json.write_text(json.dumps({"summary": summary, "rows": rows}, indent=1) + "\n")


def train(cache: PhotoCache, precision: Precision, *, seed: int, epochs: int) -> dict[str, Any]:
    """Train the default configuration for so many epochs; return the average's metrics."""
    settings = TrainingSettings(image_size=cache.image_size, seed=seed, precision=precision)
    split = split_by_content(cache.hashes)
    batches = TrainingBatches(
        cache, split.train, batch_size=settings.batch_size, seed=seed, flip=settings.flip
    )
    training = Training(settings, batches, resolve_compute("cpu", precision))
    assert training.average is not None
    for _ in range(epochs):
        for _ in training.run_epoch():
            pass
    network = training.average.network
    return validate(network, held_out(cache, split), device=training.compute.device)


if __name__ == "__main__":
    main()
