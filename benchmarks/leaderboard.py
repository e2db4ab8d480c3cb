"""How long the leaderboard of a large run takes.

    python -m benchmarks.leaderboard [--trials 10000] [--repetitions 5] [--json FILE]

`whole command` is a fresh process: imports, reading, ranking and printing the table. The reference,
in the same process as `open and rank`, is what one would write in three lines: `pandas.read_json`
of the rows, the last one of each trial, sorted by the objective. Beside the wall time stands the
processor time, which a busy machine does not stretch as much.
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
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis.leaderboard.export_formats import write_leaderboard
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.terminal_table import leaderboard_text
from analysis.stored_run.run import open_run
from tests.analysis.fabricate import Plan, fabricate_run

WHOLE = """
import sys
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.terminal_table import leaderboard_text
from analysis.stored_run.run import open_run
sys.stdout.write(leaderboard_text(build_leaderboard(open_run(sys.argv[1]))))
"""


def plain(folder: Path) -> pd.DataFrame:
    rows = pd.read_json(folder / "trials.jsonl", lines=True, dtype={"trial_id": str})
    return rows.groupby("trial_id").tail(1).sort_values("ab_swd")


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time, that of child processes included."""
    started, before = time.perf_counter(), os.times()
    action()
    after = os.times()
    return time.perf_counter() - started, sum(after[:4]) - sum(before[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        plan = Plan(n_trials=options.trials, pictures=False, curves=False)
        folder = fabricate_run(Path(temporary) / "run", plan)
        board = build_leaderboard(open_run(folder))
        actions: dict[str, Callable[[], object]] = {
            "whole command": lambda: subprocess.run(
                [sys.executable, "-c", WHOLE, str(folder)], check=True, stdout=subprocess.DEVNULL
            ),
            "open and rank": lambda: build_leaderboard(open_run(folder)),
            "plain pandas": lambda: plain(folder),
            "table": lambda: leaderboard_text(board),
            "csv": lambda: write_leaderboard(board, "csv"),
            "json": lambda: write_leaderboard(board, "json"),
            "parquet": lambda: write_leaderboard(board, "parquet"),
            "markdown": lambda: write_leaderboard(board, "markdown"),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
        for _ in range(options.repetitions):
            for name, action in actions.items():
                times[name].append(seconds(action))
    wall = {name: statistics.median(w for w, _ in values) for name, values in times.items()}
    cpu = {name: statistics.median(c for _, c in values) for name, values in times.items()}
    ratio = cpu["plain pandas"] / cpu["open and rank"]
    print(
        f"{options.trials} trials, medians of {options.repetitions}, {os.cpu_count()} cores,",
        end=" ",
    )
    print(f"load {os.getloadavg()[0]:.1f}")
    for name in actions:
        print(f"{name:15s} {wall[name]:7.3f} s wall {cpu[name]:7.3f} s processor")
    print(f"open and rank takes 1/{ratio:.2f} of plain pandas' processor time")
    if options.json:
        result = {"trials": options.trials, "wall": wall, "cpu": cpu, "cpu_ratio": ratio}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
