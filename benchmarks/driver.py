"""What the driver adds to the training: short trials, a real search, and the way to the first loss.

    python -m benchmarks.driver [--short-trials 60] [--real-trials 24] [--json FILE]

- Trials that only sleep one second, through the whole driver (Ray, ledger, study, files), from the
  first one's first second to the end of the last, against the ideal: trials x seconds / slots. The
  start of their two processes, which import Ray and torch, is told beside it.
- A real search, likewise, against the sum of the trials' own seconds over the slots.
- From the command to the first loss in the run's folder, photos cached, in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.sleeping_trial import SleepingTrainable
from search.config import EarlyStopping, SearchConfig
from search.progress.display import Progress
from search.run.directory import RunFolder, read_rows
from search.run.ledger import Ledger
from search.run.photos import SearchPhotos, prepare_photos
from search.space import SearchSpace
from search.study.creation import open_study
from search.tune.driver import run_search

SLOTS = 2
ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--short-trials", type=int, default=60)
    parser.add_argument("--real-trials", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=3, help="of a real trial")
    parser.add_argument("--starts", type=int, default=5, help="commands timed to the first loss")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{SLOTS} slots, {os.cpu_count()} cores, load {load:.1f}", flush=True)
    result: dict[str, Any] = {"load": load}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.short_trials:
            result["short"] = short_trials(folder, options.short_trials)
            _print("short trials", result["short"])
        if options.real_trials:
            result["real"] = real_search(folder, options.real_trials, options.epochs)
            _print("real search", result["real"])
        if options.starts:
            result["first_loss_sec"] = first_loss(folder, options.starts)
            seconds = result["first_loss_sec"]
            print(f"first loss after {statistics.median(seconds):.1f} s, of {sorted(seconds)}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


def short_trials(folder: Path, trials: int) -> dict[str, float]:
    """Run trials that sleep a second."""
    config = _config("short", trials, 1)
    photos = SearchPhotos(caches={32: folder}, summary={"train": 100})
    run = _search(folder, config, photos, trainable=SleepingTrainable)
    return _overhead(run)


def real_search(folder: Path, trials: int, epochs: int) -> dict[str, float]:
    """Train on made-up photos at 64 pixels, each trial to its end."""
    config = _config("real", trials, epochs, images="synthetic:600", image_size=64)
    return _overhead(_search(folder, config, prepare_photos(config)))


def first_loss(folder: Path, starts: int) -> list[float]:
    """Seconds from the command to the first row of losses, for each of several starts."""
    seconds = []
    for i in range(starts):
        command = [
            *(sys.executable, "-m", "search.cli.main", "search", "--images", "synthetic:40"),
            *("--image-size", "32", "--batch-size", "8", "--trials", "2", "--max-epochs", "1"),
            *("--concurrency", "2", "--runs-dir", str(folder / "starts"), "--name", str(i)),
        ]
        started = time.monotonic()
        process = subprocess.Popen(
            command, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        rows = folder / "starts" / str(i) / "trials"
        while process.poll() is None and not any(rows.glob("*/curves.jsonl")):
            time.sleep(0.02)
        seconds.append(round(time.monotonic() - started, 2))
        process.wait()
    return seconds[1:] or seconds  # the first one made the cache


def _config(name: str, trials: int, epochs: int, **more: Any) -> SearchConfig:
    space = SearchSpace.parse({"generator_complexity": [8, 16, 24], "discriminator_complexity": 4})
    return SearchConfig(
        name=name,
        trials=trials,
        max_epochs=epochs,
        concurrency=SLOTS,
        known_points=False,
        early_stopping=EarlyStopping(enabled=False),
        space=space,
        **more,
    )


def _search(folder: Path, config: SearchConfig, photos: SearchPhotos, **more: Any) -> RunFolder:
    run = RunFolder(folder / config.name)
    run.create(config.to_dict(), command=[])
    ledger = Ledger(run, open_study(run.study_path, config), config)
    with Path(os.devnull).open("w") as nowhere:
        from rich.console import Console

        progress = Progress(Console(file=nowhere))
        run_search(run, config, ledger, photos, address=None, progress=progress, **more)
    return run


def _overhead(run: RunFolder) -> dict[str, float]:
    rows = [row for row in read_rows(run.path / "trials.jsonl") if row["state"] != "running"]
    # Times in the rows are whole seconds; those of files are exact.
    ideal = sum(row["seconds"] for row in rows) / SLOTS
    asked = (run.path / "trials" / rows[0]["trial_id"] / "parameters.json").stat().st_mtime
    last = (run.path / "trials.jsonl").stat().st_mtime
    begun = min(_begun(run.path / "trials" / row["trial_id"]) for row in rows)
    return {
        "trials": len(rows),
        "ideal_sec": round(ideal, 2),
        "wall_sec": round(last - begun, 2),
        "processes_sec": round(begun - asked, 2),
        "ratio": round((last - begun) / ideal, 3),
    }


def _begun(trial: Path) -> float:
    """When a trial began to work, by the seconds that it had worked at its last report."""
    rows = trial / "validation.jsonl"
    seconds: float = read_rows(rows)[-1]["seconds"]
    return rows.stat().st_mtime - seconds


def _print(title: str, result: dict[str, float]) -> None:
    print(
        f"{title}: {result['trials']} trials, ideal {result['ideal_sec']} s, wall "
        f"{result['wall_sec']} s, ratio {result['ratio']}; the first processes took "
        f"{result['processes_sec']} s before that",
        flush=True,
    )


if __name__ == "__main__":
    main()
