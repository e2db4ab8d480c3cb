"""How the driver's cost grows with the number of trials, at few and at many slots.

    python -m benchmarks.scale [--trials 5000] [--slots 2 64] [--warm-sec 5] [--json FILE]

Trials that do nothing go through the whole driver: Ray, sampler, study, ledger, files. Slots are
Ray's logical processors; each is a process, and the first trials wait until all have had time to
start. Means over the (at most) hundred trials before the number that is named, by the clock and of
the driver's processor time, which is disturbed less; and how long the search takes to end after its
last trial.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

from benchmarks.sleeping_trial import WARM_UNTIL, TrivialTrainable
from search.config import SearchConfig
from search.progress.display import Progress
from search.run.directory import RunFolder
from search.run.ended_trials import EndedTrial
from search.run.ledger import Ledger
from search.run.photos import SearchPhotos
from search.study.creation import open_study
from search.tune.driver import run_search
from search.tune.ray_session import OBJECT_STORE_BYTES

MARKS = (10, 50, 100, 200, 500, 1000, 2000, 3000, 4000, 5000)


class Clock(Progress):
    """Notes when trials end, and the driver's memory; prints a row at each mark."""

    def __init__(self, at_once: int) -> None:
        super().__init__()
        self._at_once = at_once
        self.ends: list[float] = []
        self._processor: list[float] = []
        self.rows: list[dict[str, Any]] = []

    def on_end(self, ended: EndedTrial) -> None:
        """Note a trial's end."""
        self.ends.append(time.monotonic())
        self._processor.append(time.process_time())
        mark = len(self.ends)
        first = max(self._at_once, mark - 100 if mark > 200 else mark // 2)
        if mark not in MARKS or mark - first < 5:
            return
        wall, processor = (
            (times[-1] - times[first - 1]) / (mark - first) * 1000
            for times in (self.ends, self._processor)
        )
        row = {
            "trials": mark,
            "ms_a_trial": wall,
            "processor_ms_a_trial": processor,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "load": os.getloadavg()[0],
        }
        self.rows.append(row)
        print(
            f"  {mark:>5} trials: {wall:6.1f} ms a trial, of which {processor:6.1f} ms of the "
            f"driver's processor time, at most {row['megabytes']:.0f} MB; load {row['load']:.1f}",
            file=sys.__stdout__,  # a search's own standard output is diverted while it runs
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--slots", type=int, nargs="+", default=[2, 64])
    parser.add_argument("--warm-sec", type=float, default=5.0, help="for each slot")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[int, dict[str, Any]] = {}
    for slots in options.slots:
        print(f"{slots} slots, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        results[slots] = measure(options.trials, slots, options.warm_sec)
        print(f"  ended {results[slots]['end_sec']:.1f} s after the last trial", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def measure(trials: int, slots: int, warm_sec: float) -> dict[str, Any]:
    """Run so many trials; a row a mark, and the seconds that the end takes."""
    os.environ[WARM_UNTIL] = str(time.time() + 10 + warm_sec * slots)
    clock = Clock(slots)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = SearchConfig(
            name="scale", trials=trials, max_epochs=1, concurrency=slots, image_size=32
        )
        run = RunFolder(folder / config.name)
        run.create(config.to_dict(), command=[])
        ledger = Ledger(run, open_study(run.study_path, config), config)
        photos = SearchPhotos(caches={32: folder}, summary={"train": 100})
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        ray.init(
            "local",
            num_cpus=slots,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
        )
        run_search(
            run,
            config,
            ledger,
            photos,
            address=None,
            progress=clock,
            trainable=TrivialTrainable,
        )
        ray.shutdown()
        end = time.monotonic() - clock.ends[-1]
    return {"end_sec": end, "marks": clock.rows}


if __name__ == "__main__":
    main()
