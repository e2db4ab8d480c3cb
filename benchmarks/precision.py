"""Does training in bfloat16 cost quality? The same steps in both precisions, on real photos.

    python -m benchmarks.precision --images DIR [--epochs 3] [--seeds 3] [--json FILE]

A pair of trainings shares a seed: weights at the start, order of the photos, flips. Asked is that
the means over seeds differ by less than the seeds do among themselves (standard deviation).
"""

from __future__ import annotations

import json
import statistics
from typing import Any

import torch

from benchmarks.default_training import METRICS, make_parser, start_training, validate_held_out
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from models.training.device import DeviceName
from models.training.settings import Precision, TrainingSettings

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def main() -> None:
    parser = make_parser(__doc__, epochs=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = build_cache(open_source(options.images), image_size=options.image_size)
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for precision in PRECISIONS:
            metrics = train(
                cache, precision, seed=seed, epochs=options.epochs, device=options.device
            )
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


def train(
    cache: PhotoCache, precision: Precision, *, seed: int, epochs: int, device: DeviceName
) -> dict[str, Any]:
    """Train for so many epochs; return the metrics of the averaged weights."""
    training = start_training(
        cache,
        TrainingSettings(image_size=cache.image_size, seed=seed, precision=precision),
        device=device,
    )
    for _ in range(epochs):
        for _ in training.run_epoch():
            pass
    return validate_held_out(training.generator, cache)


if __name__ == "__main__":
    main()
