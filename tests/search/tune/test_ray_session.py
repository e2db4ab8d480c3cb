"""A search that is started from a Python program leaves that program as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray

from search.tune.ray_session import ray_session

ROOT = Path(__file__).parents[3]
PATIENCE_SEC = 240
COMMAND = (
    "search --images synthetic:60 --image-size 32 --batch-size 8 --trials 1 --max-epochs 1 --name x"
)
PROGRAM = """
import json, logging, os, signal, sys, threading

import ray

own_session = sys.argv[1] == "own session"
if own_session:
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False,
             object_store_memory=100_000_000, logging_level=logging.ERROR)
    kept = ray.put("kept")


def on_interrupt(*_):
    raise SystemExit("the handler of the caller")


signal.signal(signal.SIGINT, on_interrupt)
signal.signal(signal.SIGTERM, on_interrupt)


def state():
    return {
        "handlers": {s.name: str(signal.getsignal(s)) for s in signal.valid_signals()
                     if isinstance(s, signal.Signals)},
        "environment": dict(os.environ),
        "levels": {n: logging.getLogger(n).level for n in ("", "ray", "ray.tune", "ray.train")},
        "folder": os.getcwd(),
        "streams": [sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__],
        "session": ray.is_initialized(),
    }


from search.cli.main import main

before = state()
codes = [main(sys.argv[2].split())]
if not own_session:
    codes += [main("search --resume --name x --trials 2".split())]
after = state()
if own_session:
    assert ray.get(kept) == "kept"
    assert ray.get(ray.remote(lambda: 7).remote()) == 7
print(json.dumps([codes, before, after]))
"""


def _called(how: str, folder: Path) -> tuple[Any, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, COMMAND],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CHROMATUNE_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SEC,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes, before, after = json.loads(done.stdout)
    assert set(codes) == {0}, done.stderr
    rows = [json.loads(line) for line in (folder / "runs/x/trials.jsonl").read_text().splitlines()]
    assert {row["state"] for row in rows} == {"running", "complete"}
    return before, after


@pytest.mark.parametrize("how", ["own session", "no session"])
def test_a_search_leaves_its_caller_as_it_was(how: str, tmp_path: Path) -> None:
    before, after = _called(how, tmp_path)
    assert before["session"] == (how == "own session")
    for what in before:
        assert after[what] == before[what], what


def test_threads_of_workers_wait_without_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    with ray_session(None, "cpu"):
        policy = ray.get(ray.remote(lambda: os.environ["OMP_WAIT_POLICY"]).remote())
    assert policy == "PASSIVE"
    assert "OMP_WAIT_POLICY" not in os.environ


def test_an_address_that_an_open_session_leaves_unused_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        with ray_session("10.0.0.7:6379", "cpu"):
            assert ray.is_initialized()
        (line,) = (each for each in capsys.readouterr().err.splitlines() if "--address" in each)
        assert "10.0.0.7:6379" in line
        assert "ray.shutdown()" in line
        with ray_session(None, "cpu"):
            pass
        assert "--address" not in capsys.readouterr().err
        assert ray.is_initialized()
    finally:
        ray.shutdown()
    # A session of the search's own is not one that the program had open.
    with ray_session(None, "cpu"), ray_session("10.0.0.7:6379", "cpu"):
        pass
    assert "--address" not in capsys.readouterr().err
