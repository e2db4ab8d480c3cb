"""Kills at random moments: nothing is lost, doubled or left running."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from search.run_folder import read_json, read_rows

ROOT = Path(__file__).parents[2]
TRIALS, EPOCHS = 3, 3
SEARCH = (
    f"search --images synthetic:60 --image-size 32 --batch-size 8 --trials {TRIALS} "
    f"--max-epochs {EPOCHS} --concurrency 2 --name killed"
).split()
RESUME = ["search", "--resume", "--name", "killed"]
PATIENCE_SEC = 240


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def _start(arguments: list[str], cwd: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "search.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CHROMATUNE_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for_rows(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until trials have reported `count` epochs in all."""
    deadline = time.monotonic() + PATIENCE_SEC
    while time.monotonic() < deadline and process.poll() is None:
        reported = sum(len(read_rows(path)) for path in run.glob("trials/*/validation.jsonl"))
        if reported >= count:
            return
        time.sleep(0.05)


def _stop_in_the_middle(run: Path, process: subprocess.Popen[str]) -> None:
    """Halt the driver once trials have begun to report, so that no machine is too fast for us."""
    _wait_for_rows(run, 1, process)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    assert len(_ended(run)) < TRIALS


def _finish(cwd: Path, cache: Path) -> None:
    process = _start(RESUME, cwd, cache)
    _, error = process.communicate(timeout=PATIENCE_SEC)
    assert process.returncode == 0, error


def _check(run: Path, finished_before: dict[str, dict[str, object]]) -> None:
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
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(run / "study.journal"))
    )
    trials = optuna.load_study(study_name="killed", storage=storage).trials
    assert len(trials) == TRIALS
    assert all(trial.state.is_finished() for trial in trials)
    assert read_json(run / "run.json")["status"] == "finished"


def _ended(run: Path) -> dict[str, dict[str, object]]:
    rows = read_rows(run / "trials.jsonl")
    return {str(row["trial_id"]): row for row in rows if row["state"] != "running"}


def _kill_and_resume(seed: int, tmp_path: Path, cache: Path) -> None:
    rng = random.Random(seed)
    run = tmp_path / "runs" / "killed"
    process = _start(SEARCH, tmp_path, cache)
    _wait_for_rows(run, rng.randint(0, TRIALS * EPOCHS - 2), process)
    time.sleep(rng.random() * 0.5)
    process.kill()
    process.communicate()
    if not (run / "study.journal").exists():
        # Killed before the run began: the name is free or the folder can be resumed.
        if run.exists():
            _finish(tmp_path, cache)
        return
    before = _ended(run)
    _finish(tmp_path, cache)
    _check(run, before)


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_search_resumes(seed: int, tmp_path: Path, cache: Path) -> None:
    _kill_and_resume(seed, tmp_path, cache)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_a_killed_search_resumes_every_time(seed: int, tmp_path: Path, cache: Path) -> None:
    _kill_and_resume(seed, tmp_path, cache)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_the_run_resumable_and_says_how(
    number: signal.Signals, tmp_path: Path, cache: Path
) -> None:
    run = tmp_path / "runs" / "killed"
    process = _start(SEARCH, tmp_path, cache)
    _stop_in_the_middle(run, process)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert out == ""
    assert "chromatune search --resume --name killed --runs-dir runs" in error
    assert "Traceback" not in error
    assert read_json(run / "run.json")["status"] == "interrupted"
    before = _ended(run)
    _finish(tmp_path, cache)
    _check(run, before)


def test_a_killed_trial_process_is_retried_from_its_checkpoint(tmp_path: Path, cache: Path) -> None:
    run = tmp_path / "runs" / "killed"
    process = _start(SEARCH, tmp_path, cache)
    _stop_in_the_middle(run, process)
    victims = _trainables(process.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    process.send_signal(signal.SIGCONT)
    _, error = process.communicate(timeout=PATIENCE_SEC)
    assert process.returncode == 0, error
    _check(run, {})
    assert {row["state"] for row in _ended(run).values()} <= {"complete", "pruned"}


def test_one_run_has_one_driver(tmp_path: Path, cache: Path) -> None:
    run = tmp_path / "runs" / "killed"
    process = _start(SEARCH, tmp_path, cache)
    try:
        _stop_in_the_middle(run, process)
        second = _start(RESUME, tmp_path, cache)
        _, error = second.communicate(timeout=PATIENCE_SEC)
        assert second.returncode == 2
        assert "one driver" in error
    finally:
        process.kill()
        process.communicate()


def _trainables(driver: int) -> list[int]:
    """Process ids of the Ray actors of a driver's session that carry a trial."""
    children: dict[int, list[int]] = {}
    titles: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            titles[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, stack = [], [driver]
    while stack:
        pid = stack.pop()
        stack += children.get(pid, [])
        if "Trainable" in titles.get(pid, ""):
            found.append(pid)
    return found
