"""What the moving average of the generator's weights does, epoch by epoch, on real photos.

    python -m benchmarks.weight_average --images DIR [--epochs 8] [--seeds 3] [--json FILE]

Each training is validated twice after each epoch, with the raw weights and with their average:
the same training, the same photos, so that nothing else differs. The jump of a metric is the mean
absolute change from one epoch to the next, over the last half of the epochs.
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

import numpy as np
import torch

from benchmarks.default_training import METRICS, make_parser, start_training, validate_held_out
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from models.training.settings import TrainingSettings


def main() -> None:
    parser = make_parser(__doc__, epochs=8)
    parser.add_argument("--photos", type=int, default=800)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cache = build_cache(open_source(options.images), image_size=options.image_size)
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        rows += train(cache, seed=seed, options=options)
    print(f"{'metric':>18} {'weights':>8} {'last epoch':>11} {'jump':>9}")
    summary = []
    for metric in METRICS:
        for weights in ("raw", "average"):
            curves = [
                [row[weights][metric] for row in rows if row["seed"] == seed]
                for seed in range(options.seeds)
            ]
            last = statistics.mean(curve[-1] for curve in curves)
            jump = statistics.mean(_jump(curve) for curve in curves)
            summary.append({"metric": metric, "weights": weights, "last": last, "jump": jump})
            print(f"{metric:>18} {weights:>8} {last:>11.4f} {jump:>9.4f}")
    if options.json:
        options.json.write_text(json.dumps({"summary": summary, "epochs": rows}, indent=1))


def train(cache: PhotoCache, *, seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train; a row an epoch with the metrics of both weights."""
    training = start_training(
        cache,
        TrainingSettings(image_size=cache.image_size, seed=seed),
        device=options.device,
        photos=options.photos,
    )
    assert training.average is not None
    networks = {"raw": training.pair.generator, "average": training.average.network}
    rows = []
    for epoch in range(1, options.epochs + 1):
        for _ in training.run_epoch():
            pass
        row: dict[str, Any] = {"seed": seed, "epoch": epoch}
        for name, network in networks.items():
            row[name] = validate_held_out(network, cache)
        rows.append(row)
    return rows


def _jump(curve: list[float]) -> float:
    return float(np.abs(np.diff(curve[len(curve) // 2 - 1 :])).mean())


if __name__ == "__main__":
    main()
