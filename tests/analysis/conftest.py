"""One fabricated run that the slower tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.stored_run.run import Run, open_run
from tests.analysis.fabricate import Plan, fabricate_run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 48 trials with curves and pictures; read it, do not write to it."""
    plan = Plan(n_trials=48, n_windows=60, failed=0.08, seed=3)
    return fabricate_run(tmp_path_factory.mktemp("shared") / "first", plan)


@pytest.fixture
def run(run_folder: Path) -> Run:
    return open_run(run_folder)
