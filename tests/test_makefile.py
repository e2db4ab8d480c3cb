"""`make search` gives one name to one search, however long its steps take."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _names(folder: Path, *arguments: str) -> list[str]:
    clock = folder / "date"
    clock.write_text(f'#!/bin/sh\necho x >> "{folder}/ticks"\nwc -l < "{folder}/ticks"\n')
    clock.chmod(0o755)
    done = subprocess.run(
        ["make", "--dry-run", "search", *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return re.findall(r"--name '([^']*)'|'runs/([^'/]*)", done.stdout)


def test_every_step_uses_the_name_of_the_first(tmp_path: Path) -> None:
    names = [a or b for a, b in _names(tmp_path)]
    assert len(names) > 3
    assert set(names) == {"first-1"}


def test_a_given_name_is_taken(tmp_path: Path) -> None:
    assert {a or b for a, b in _names(tmp_path, "NAME=mine")} == {"mine"}


@pytest.mark.parametrize(
    ("target", "develops"), [("search", False), ("lint", True), ("docs", True), ("test", True)]
)
def test_only_tests_and_checks_install_what_they_need(
    tmp_path: Path, target: str, develops: bool
) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (install,) = [line for line in done.stdout.splitlines() if "pip install" in line]
    assert (".[dev]" in install) == develops
