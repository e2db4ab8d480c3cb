"""Kills at random moments: nothing is lost, doubled or left running."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from search.run.directory import read_json
from tests.search.driving import (
    EPOCHS,
    PATIENCE_SEC,
    RESUME,
    SEARCH,
    TRIALS,
    check,
    ended,
    finish,
    start,
    stop_in_the_middle,
    wait_for_rows,
)

pytestmark = pytest.mark.usefixtures("open_ray")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def _kill_and_resume(seed: int, tmp_path: Path, cache: Path) -> None:
    rng = random.Random(seed)
    run = tmp_path / "runs" / "killed"
    process = start(SEARCH, tmp_path, cache)
    wait_for_rows(run, rng.randint(0, TRIALS * EPOCHS - 2), process)
    time.sleep(rng.random() * 0.5)
    process.kill()
    process.communicate()
    if not (run / "study.journal").exists():
        # Killed before the run began: the name is free or the folder can be resumed.
        if run.exists():
            finish(tmp_path, cache)
        return
    before = ended(run)
    finish(tmp_path, cache)
    check(run, before)


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_search_resumes(seed: int, tmp_path: Path, cache: Path) -> None:
    _kill_and_resume(seed, tmp_path, cache)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_a_killed_search_resumes_every_time(seed: int, tmp_path: Path, cache: Path) -> None:
    _kill_and_resume(seed, tmp_path, cache)


@pytest.mark.parametrize("seed", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in (1, 2, 3))])
def test_a_search_killed_as_it_begins_resumes_or_never_was(
    seed: int, tmp_path: Path, cache: Path
) -> None:
    run = tmp_path / "runs" / "killed"
    process = start(SEARCH, tmp_path, cache)
    deadline = time.monotonic() + PATIENCE_SEC
    while not run.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(random.Random(seed).random() * 0.2 * seed)
    process.kill()
    process.communicate()
    if (run / "run.json").exists():
        finish(tmp_path, cache)
    else:
        _, error = (again := start(SEARCH, tmp_path, cache)).communicate(timeout=PATIENCE_SEC)
        assert again.returncode == 0, error
    check(run, {})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_the_run_resumable_and_says_how(
    number: signal.Signals, tmp_path: Path, cache: Path
) -> None:
    run = tmp_path / "runs" / "killed"
    process = start(SEARCH, tmp_path, cache)
    stop_in_the_middle(run, process)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert out == ""
    assert "chromatune search --resume --name killed --runs-dir runs" in error
    assert "Traceback" not in error
    assert read_json(run / "run.json")["status"] == "interrupted"
    before = ended(run)
    finish(tmp_path, cache)
    check(run, before)


def test_a_killed_trial_process_is_retried_from_its_checkpoint(tmp_path: Path, cache: Path) -> None:
    run = tmp_path / "runs" / "killed"
    process = start(SEARCH, tmp_path, cache)
    stop_in_the_middle(run, process)
    victims = _trainables(process.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    process.send_signal(signal.SIGCONT)
    _, error = process.communicate(timeout=PATIENCE_SEC)
    assert process.returncode == 0, error
    check(run, {})
    assert {row["state"] for row in ended(run).values()} <= {"complete", "pruned"}


def test_one_run_has_one_driver(tmp_path: Path, cache: Path) -> None:
    run = tmp_path / "runs" / "killed"
    process = start(SEARCH, tmp_path, cache)
    try:
        stop_in_the_middle(run, process)
        second = start(RESUME, tmp_path, cache)
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
