"""Where the processor's time goes between the command and the first loss, process by process.

    python -m benchmarks.first_loss [--pairs 5] [--checkout DIR] [--json FILE]

A search of two trials on 40 painted landscapes of 32 pixels, whose cache exists already, and, in
turns with it, a process that imports Torch and starts Ray as anybody would. Reported are seconds of
the processor (user and system) of all processes together until the first row of losses is in the
run's folder, by kind of process and by phase, and their ratio to the other process's: unlike the
clock, neither depends much on what else the machine does. Linux only: it reads /proc.
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
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
#: what starts Torch and Ray with nothing of ours
BARE = """
import torch, ray
ray.init("local", include_dashboard=False, object_store_memory=256 * 1024**2, log_to_driver=False)
print("started", flush=True)
import sys; sys.stdin.read()
"""
#: words of a process's command line -> what it is called here
KINDS = {
    "gcs_server": "Ray's servers",
    "raylet/raylet": "Ray's servers",
    "monitor.py": "Ray's helpers",
    "dashboard": "Ray's helpers",
    "DashboardAgent": "Ray's helpers",
    "runtime_env": "Ray's helpers",
    "RuntimeEnvAgent": "Ray's helpers",
    "ray::IDLE": "idle workers",
    "default_worker": "workers",
    "ray::": "workers",
}


@dataclass
class Spent:
    """Seconds of the processor by kind of process, and in all when each phase ended."""

    by_kind: Counter[str] = field(default_factory=Counter)
    at: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.by_kind.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=5, help="searches, each after a bare start")
    parser.add_argument("--checkout", type=Path, action="append", help="code to run, repeatable")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    checkouts: list[Path] = options.checkout or [ROOT]
    bare: list[Spent] = []
    searched: dict[Path, list[Spent]] = {checkout: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory() as name:
        for i in range(options.pairs + 1):
            again = i > 0  # the first time the cache is made and files are read from the disk
            spent = _bare(Path(name))
            bare += [spent] * again
            for number, checkout in enumerate(checkouts):
                spent = _search(checkout, Path(name) / f"{number}", str(i))
                searched[checkout] += [spent] * again
                if again:
                    print(f"{checkout.name} {i}: {spent.total:.2f} s, bare {bare[-1].total:.2f} s")
    result = {"bare": _summary(bare)}
    print(f"bare start: {result['bare']}")
    for checkout, starts in searched.items():
        result[str(checkout)] = summary = _summary(starts)
        ratio = statistics.median(a.total / b.total for a, b in zip(starts, bare, strict=True))
        summary["ratio"] = round(ratio, 2)
        print(f"{checkout}: {summary}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


def _search(checkout: Path, folder: Path, name: str) -> Spent:
    folder.mkdir(exist_ok=True)
    run, errors = folder / "runs" / name, folder / "errors.txt"
    with errors.open("w") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "chromatune", "search", "--images", "synthetic:40"),
                *("--image-size", "32", "--batch-size", "8", "--trials", "2", "--max-epochs", "1"),
                *("--concurrency", "2", "--runs-dir", str(folder / "runs"), "--name", name),
            ],
            cwd=folder,
            stderr=file,
            stdin=subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": str(checkout),
                "CHROMATUNE_CACHE": str(folder / "cache"),
            },
        )
    phases: dict[str, Callable[[], bool]] = {
        "photos": lambda: (run / "run.json").exists(),
        "trial asked": lambda: any(run.glob("trials/*/parameters.json")),
        "first loss": lambda: any(run.glob("trials/*/curves.jsonl")),
    }
    return _watch(process, phases, errors)


def _bare(folder: Path) -> Spent:
    out, errors = folder / "bare.txt", folder / "errors.txt"
    with out.open("w") as file, errors.open("w") as error_file:
        process = subprocess.Popen(
            [sys.executable, "-c", BARE],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=error_file,
        )
    return _watch(process, {"started": lambda: "started" in out.read_text()}, errors)


def _watch(
    process: subprocess.Popen[bytes], phases: dict[str, Callable[[], bool]], errors: Path
) -> Spent:
    """Follow a process and all that it starts to the end of the last phase; then let it end."""
    started, spent = time.monotonic(), Spent()
    seconds: dict[int, float] = {}
    kinds: dict[int, str] = {}
    waiting = dict(phases)
    while waiting and process.poll() is None:
        for name in [name for name, reached in waiting.items() if reached()]:
            del waiting[name]
            _look(process.pid, seconds, kinds)
            spent.at[name] = round(sum(seconds.values()), 2)
        _look(process.pid, seconds, kinds)
        time.sleep(0.03)
    if waiting:
        raise RuntimeError(
            f"the process ended (code {process.returncode}) before: {', '.join(waiting)}\n"
            + errors.read_text()
        )
    spent.wall = time.monotonic() - started
    for pid, used in seconds.items():
        spent.by_kind[kinds[pid]] += used
    process.communicate()
    return spent


def _look(root: int, seconds: dict[int, float], kinds: dict[int, str]) -> None:
    """Note what each process below `root` has used so far; what has ended keeps its last value."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        used[pid] = (int(fields[11]) + int(fields[12])) / TICKS
    for pid, own in used.items():
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root or pid in seconds:
            seconds[pid] = own
            kinds[pid] = "driver" if pid == root else _kind(pid, kinds.get(pid, "other"))


def _kind(pid: int, before: str) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return before
    # The command lines of Ray's servers name all the others.
    head = " ".join(word for word in command.split()[:4] if not word.startswith("--"))
    return next((kind for words, kind in KINDS.items() if words in head), before)


def _summary(starts: list[Spent]) -> dict[str, float]:
    kinds = sorted({kind for spent in starts for kind in spent.by_kind})
    rows = [
        {
            "all": spent.total,
            **{f"until {phase}": seconds for phase, seconds in spent.at.items()},
            **{kind: spent.by_kind[kind] for kind in kinds},
            "clock": spent.wall,
        }
        for spent in starts
    ]
    return {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}


if __name__ == "__main__":
    main()
