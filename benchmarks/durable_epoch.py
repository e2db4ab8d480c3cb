"""What does it cost a search that each of its epochs survives a power cut?

    python -m benchmarks.durable_epoch [--epochs 50] [--folder DIR] [--json FILE]

Writes what an epoch of a trial writes that is the best so far (checkpoint, best generator, sample
grid, rows, the study's journal) on the disk of --folder, and times the calls that wait for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import optuna

from data_pipeline.durable import replace_file, replace_files
from models.file_names import BEST, CHECKPOINT, SAMPLES
from models.metrics.objective import METRICS
from models.networks.complexity import network_sizes
from models.training.report import EpochReport
from search.run.trial_files import append_report
from search.study.journal import RunJournal

#: generator width, discriminator width, pixels a side
CASES = ((16, 4, 64), (30, 4, 128), (72, 14, 256))
EPOCH_SEC = 5.0
WINDOW = dict.fromkeys((f"{kind}_ema" for kind in ("real", "fake", "total", "loss")), 0.123456789)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print("  widths  side  syncs an epoch  ms an epoch, least (median)  of an epoch of 5 s")
    results = []
    for case in CASES:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            counts, seconds = zip(*epochs(Path(name), case, options.epochs), strict=True)
        syncs, median, least = max(counts), statistics.median(seconds), min(seconds)
        results.append({"case": case, "syncs": syncs, "median_sec": median, "least_sec": least})
        print(
            f"{case[0]:>5},{case[1]:>2} {case[2]:>5} {syncs:>15} "
            f"{1000 * least:>17.1f} ({1000 * median:.1f}) "
            f"{100 * least / EPOCH_SEC:>18.2f} % ({100 * median / EPOCH_SEC:.2f} %)"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def epochs(folder: Path, case: tuple[int, int, int], n_epochs: int) -> list[tuple[int, float]]:
    """How often each epoch waited for the disk, and for how long in all, in seconds."""
    sizes = network_sizes(*case)
    generator = os.urandom(4 * sizes.generator_parameters)
    # Adam keeps two numbers for each weight.
    both = os.urandom(12 * (sizes.generator_parameters + sizes.discriminator_parameters))
    grid = os.urandom(18 * case[2] ** 2)  # 3 x 6 photos at a byte a pixel, as PNG has them
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=RunJournal(folder.absolute() / "study.journal"))
    trial = study.ask()
    waits: list[float] = []
    fsync = os.fsync

    def timed(descriptor: int) -> None:
        started = time.perf_counter()
        fsync(descriptor)
        waits.append(time.perf_counter() - started)

    found = []
    with patch.object(os, "fsync", timed):
        for epoch in range(1, n_epochs + 1):
            waits.clear()
            replace_files(folder, {BEST: generator, SAMPLES: grid})
            replace_file(folder / CHECKPOINT, both)
            trial.report(1.0 / epoch, step=epoch)
            append_report(folder, _report(epoch))
            found.append((len(waits), sum(waits)))
    return found[1:]  # files that are new have names to sync, too


def _report(epoch: int) -> dict[str, Any]:
    windows: list[dict[str, float | None]] = [
        {"step": epoch, "epoch": epoch, **WINDOW} for _ in range(10)
    ]
    metrics = dict.fromkeys(METRICS, 1.23456789)
    report = EpochReport(
        epoch=epoch,
        step=epoch,
        images=16,
        seconds=5.0,
        windows=windows,
        metrics=metrics,
        feasible=True,
        best_epoch=1,
        best_metrics=metrics,
        done=False,
    )
    return asdict(report)


if __name__ == "__main__":
    main()
