"""Starts and stops whole searches in processes of their own, goes on with them, checks them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

import optuna
import pytest

from search.cli.main import main
from search.run.directory import read_json, read_rows

ROOT = Path(__file__).parents[2]
TRIALS, EPOCHS = 3, 3
SEARCH = (
    f"search --images synthetic:60 --image-size 32 --batch-size 8 --trials {TRIALS} "
    f"--max-epochs {EPOCHS} --concurrency 2 --name killed"
).split()
RESUME = ["search", "--resume", "--name", "killed"]
PATIENCE_SEC = 240


def start(arguments: list[str], cwd: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "search.cli.main", *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CHROMATUNE_CACHE": str(cache),
            # Ray is nice to other programs: on a busy machine its trials would hardly move.
            "RAY_worker_niceness": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_rows(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until trials have reported `count` epochs in all."""
    deadline = time.monotonic() + PATIENCE_SEC
    while time.monotonic() < deadline and process.poll() is None:
        reported = sum(len(read_rows(path)) for path in run.glob("trials/*/validation.jsonl"))
        if reported >= count:
            return
        time.sleep(0.05)


def stop_in_the_middle(run: Path, process: subprocess.Popen[str]) -> None:
    """Halt the driver once trials have begun to report, so that no machine is too fast for us."""
    wait_for_rows(run, 1, process)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    assert len(ended(run)) < TRIALS


def finish(cwd: Path, cache: Path) -> None:
    """Go on with the search to its end: in this process, and in its session of Ray if it has one.

    Processes of their own are for what is killed or interrupted; a search that resumes in one is in
    tests/search/tune/test_search_run.py.
    """
    error = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(error):
        patch.chdir(cwd)
        patch.setenv("CHROMATUNE_CACHE", str(cache))
        patch.setenv("RAY_worker_niceness", "0")
        assert main(RESUME) == 0, error.getvalue()


def check(
    run: Path, finished_before: dict[str, dict[str, object]], *, storage: str | None = None
) -> None:
    rows: dict[str, list[dict[str, object]]] = {}
    for row in read_rows(run / "trials.jsonl"):
        rows.setdefault(str(row["trial_id"]), []).append(row)
    assert sorted(rows) == [f"{number:04d}" for number in range(TRIALS)]
    for trial_id, history in rows.items():
        assert [row["state"] == "running" for row in history] == [True, False]
        if trial_id in finished_before:
            assert history[-1] == finished_before[trial_id]
        validation = read_rows(run / "trials" / trial_id / "validation.jsonl")
        assert [row["epoch"] for row in validation] == list(range(1, len(validation) + 1))
        steps = [row["step"] for row in read_rows(run / "trials" / trial_id / "curves.jsonl")]
        assert steps == sorted(set(steps))
        assert steps[-1] == history[-1]["steps"]
    trials = optuna.load_study(study_name="killed", storage=storage or _journal(run)).trials
    assert len(trials) == TRIALS
    assert all(trial.state.is_finished() for trial in trials)
    assert read_json(run / "run.json")["status"] == "finished"


def _journal(run: Path) -> optuna.storages.JournalStorage:
    backend = optuna.storages.journal.JournalFileBackend(str(run / "study.journal"))
    return optuna.storages.JournalStorage(backend)


def ended(run: Path) -> dict[str, dict[str, object]]:
    rows = read_rows(run / "trials.jsonl")
    return {str(row["trial_id"]): row for row in rows if row["state"] != "running"}
