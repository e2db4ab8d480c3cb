"""How a search stands, by its files."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.training.epoch_progress import EpochProgress
from search.cli.main import main
from search.run.directory import read_json, write_json
from search.run.ledger import Ledger
from search.steering.run_status import run_status
from tests.search.ledgers import make_config, make_report, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A search of 4 trials: one has ended, one is in its second epoch, one has just begun."""
    config = make_config(trials=4, max_epochs=3, time_budget_sec=3600.0)
    ledger = open_ledger(tmp_path, config)
    ledger.run.lock()
    ledger.run.set_status("running")
    for _ in range(3):
        assert ledger.ask() is not None
    for epoch in (1, 2, 3):
        ledger.report("0000", make_report(epoch, value=5.0))
    ledger.finish("0000")
    ledger.report("0001", make_report(1, value=4.0))
    _show(ledger, "0001", EpochProgress(
        epoch=1, step=5, steps=10, reconstruction=0.125, adversarial=None
    ))  # fmt: skip
    yield ledger
    ledger.run.close()


def _show(ledger: Ledger, trial_id: str, progress: EpochProgress) -> None:
    (ledger.run.trial_folder(trial_id) / "progress.json").write_bytes(progress.to_json())


def _now(ledger: Ledger) -> datetime:
    return datetime.fromisoformat(read_json(ledger.run.path / "run.json")["session_started_at"])


def test_each_slot_has_its_trial_and_the_seconds_to_its_end(ledger: Ledger) -> None:
    status = run_status(ledger.run.path, now=_now(ledger))
    assert (status.status, status.n_ended, status.n_trials) == ("running", 1, 4)
    second, third = status.running
    # An epoch takes 1.5 s, and one and a half are to come.
    assert second.seconds_left == pytest.approx(2.25)
    assert second.stage == "epoch 2/3  step 5/10  reconstruction 0.125"
    assert (third.stage, third.seconds_left) == ("starting", None)
    assert status.budget_left_sec == 3600
    assert status.winners.startswith("Trial 0000 has both the best colours")
    _show(ledger, "0002", EpochProgress(
        epoch=0, step=1, steps=10, reconstruction=None, adversarial=None
    ))  # fmt: skip
    _, third = run_status(ledger.run.path, now=_now(ledger)).running
    assert third.seconds_left == pytest.approx(2.9 * 1.5)  # as the epochs of the others


def test_the_command_prints_one_fact_a_line(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(ledger.run.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    patterns = (
        r"run: running, 1/4 trials have ended",
        r"  0001  epoch 2/3  step 5/10  reconstruction 0\.125  about 5 s to its end",
        r"  0002  starting",
        r"Trial 0000 has both the best colours and the best balance: .*",
        r"time budget: about (1 h 0|60|59) min left",
    )
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


def test_a_driver_that_died_is_told_from_one_that_runs(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger.run._lock is not None
    fcntl.flock(ledger.run._lock, fcntl.LOCK_UN)
    status = run_status(ledger.run.path, now=datetime.now(UTC))
    assert (status.status, status.running, status.budget_left_sec) == ("gone", (), None)
    text = status.to_text()
    assert text.startswith("run: interrupted without a word, 1/4 trials")
    assert "go on with: chromatune search --resume --name run --runs-dir " in text


def test_damaged_files_do_not_hide_the_rest(ledger: Ledger) -> None:
    run = ledger.run.path
    write_json(run / "run.json", {**read_json(run / "run.json"), "session_started_at": "soon"})
    (ledger.run.trial_folder("0001") / "progress.json").write_text("{")
    status = run_status(run, now=datetime.now(UTC))
    assert status.running[0].stage == "epoch 2/3"
    assert status.budget_left_sec is None
    assert json.loads((run / "run.json").read_text())["status"] == "running"
