"""The benchmarks of a GPU run, on a machine without one and without Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_RAY = """
import runpy, sys
for name in ("ray", "optuna"):
    sys.modules[name] = None  # so that importing it fails
sys.argv = ["benchmarks.gpu", *sys.argv[1:]]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


def run(measurement: str, tmp_path: Path) -> list[dict[str, object]]:
    file = tmp_path / "out.json"
    words = [measurement, "--device", "cpu", "--tiny", "--json", str(file)]
    # Sharing starts processes of its own, for which the module must be the main one.
    plain = ["-m", "benchmarks.gpu", *words]
    command = plain if measurement == "pack" else ["-c", WITHOUT_RAY, *words]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text(encoding="utf-8"))
    assert (document["measurement"], document["device"]) == (measurement, "cpu")
    assert [json.loads(line) for line in done.stdout.splitlines()] == document["rows"]
    rows: list[dict[str, object]] = document["rows"]
    return rows


@pytest.mark.parametrize(
    ("measurement", "figures"),
    [
        ("step", {"plain_sec", "called_sec"}),
        ("pack", {"plain_images_per_sec", "best_over_one", "best_over_plain"}),
        ("epoch", {"epoch_sec", "training_sec", "checkpoint_sec"}),
        ("precision", {"ab_swd", "grey_skill"}),
    ],
)
def test_each_measurement_runs(measurement: str, figures: set[str], tmp_path: Path) -> None:
    rows = run(measurement, tmp_path)
    assert rows
    for row in rows:
        assert all(isinstance(row[name], float) for name in figures)


def test_the_check_agrees(tmp_path: Path) -> None:
    rows = run("check", tmp_path)
    assert all(row["agrees"] for row in rows if "part" in row)
    assert [row for row in rows if "estimate" in row]
