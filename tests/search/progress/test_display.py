"""What a person sees of a search: that it starts, that it moves, and which trial is the best."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from models.file_names import PROGRESS
from models.training.epoch_progress import EpochProgress, ProgressFile
from search.progress.display import MAX_LINES, Progress
from search.run.ledger import Ledger
from search.tune.messages import EpochDone
from tests.search.ledgers import make_config, make_report, open_ledger

ROOT = Path(__file__).parents[3]
SEARCH = """search --images synthetic:40 --image-size 32 --batch-size 4 --trials 1
--max-epochs 1""".split()  # noqa: SIM905


def shown(text: str) -> list[str]:
    """Lines as a person reads them, without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines()


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def show_step(ledger: Ledger, trial_id: str, step: int, *, epoch: int = 0) -> None:
    ProgressFile(ledger.run.trial_folder(trial_id) / PROGRESS)(
        EpochProgress(epoch=epoch, step=step, steps=33, reconstruction=0.12345, adversarial=0.69314)
    )


@pytest.mark.parametrize("width", [80, 120])
def test_each_slot_shows_its_step_and_losses(tmp_path: Path, width: int) -> None:
    ledger = open_ledger(tmp_path, make_config())
    console = terminal(width)
    progress = Progress(console)
    with progress.trials(ledger):
        for _ in range(2):
            opened = ledger.ask()
            assert opened is not None
            progress.on_start(opened)
        show_step(ledger, "0001", 17)
    lines = shown(text_of(console))
    assert "0/4 trials" in lines
    assert "  0000  starting" in lines
    assert "  0001  epoch 1/3  step 17/33  reconstruction 0.123  adversarial 0.693" in lines
    assert max(map(len, lines)) <= width


def test_the_last_step_is_followed_by_the_validation_and_the_next_epoch(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config())
    console = terminal(80)
    progress = Progress(console)
    opened = ledger.ask()
    assert opened is not None
    with progress.trials(ledger):
        progress.on_start(opened)
        show_step(ledger, "0000", 33)
    assert "epoch 1/3  validating  reconstruction" in text_of(console)
    with progress.trials(ledger):
        progress.on_epoch("0000", EpochDone(report=make_report(1), device="cpu"))
    assert "epoch 2/3" in text_of(console)
    with progress.trials(ledger):
        show_step(ledger, "0000", 2, epoch=1)
    assert "epoch 2/3  step 2/33" in text_of(console)


def test_what_an_interrupted_search_left_is_not_shown(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config())
    console = terminal(80)
    progress = Progress(console)
    opened = ledger.ask()
    assert opened is not None
    show_step(ledger, "0000", 30)
    with progress.trials(ledger):
        progress.on_start(opened)
    assert "  0000  starting" in shown(text_of(console))
    assert "step 30" not in text_of(console)
    # And when it has ended, nothing is left.
    ledger.report("0000", make_report(3))
    ledger.finish("0000")
    assert not (ledger.run.trial_folder("0000") / PROGRESS).exists()


def test_more_trials_than_a_terminal_has_lines_for_are_counted(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=MAX_LINES + 3))
    console = terminal(80)
    progress = Progress(console)
    with progress.trials(ledger):
        while opened := ledger.ask():
            progress.on_start(opened)
    assert "  and 3 more" in shown(text_of(console))


def test_the_best_trial_is_the_one_with_the_least_value_that_is_shown(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=3))
    output = io.StringIO()
    progress = Progress(Console(file=output, soft_wrap=True, highlight=False))
    with progress.trials(ledger):
        for value, grey_skill in ((2.0, -0.02), (2.15, 0.01), (2.1, 0.01)):
            opened = ledger.ask()
            assert opened is not None
            progress.on_start(opened)
            ledger.report(opened.trial_id, make_report(3, value=value, grey_skill=grey_skill))
            progress.on_end(ledger.finish(opened.trial_id))
    first, second, third = output.getvalue().splitlines()
    # With what coming near a guard or breaking it costs.
    assert "set_swd 2 (2.204 with the cost of guards)  (breaks a guard)" in first
    assert first.endswith("  best so far")
    assert "set_swd 2.15 (2.239 with the cost of guards) " in second
    assert not second.endswith("  best so far")
    assert "set_swd 2.1 (2.189 with the cost of guards) " in third
    assert third.endswith("  best so far")


def test_nothing_is_live_where_there_is_no_terminal(tmp_path: Path) -> None:
    output = io.StringIO()
    with Progress(Console(file=output)) as progress:
        progress.wait_for("starting")
        with progress.trials(open_ledger(tmp_path, make_config())):
            pass
    assert output.getvalue() == ""


def test_a_search_in_a_terminal_starts_and_moves_at_once(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "search.cli.main", *SEARCH],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CHROMATUNE_CACHE": str(tmp_path / "cache"),
            "TERM": "xterm",
            "COLUMNS": "100",
        },
        stderr=theirs,
        stdout=subprocess.DEVNULL,
    )
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side has gone
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    assert process.wait() == 0
    text = "\n".join(shown(b"".join(chunks).decode()))
    moments = ["starting", "40 photos", "starting Ray", "0000  starting", "[1/1] trial", "done"]
    positions = [text.index(moment) for moment in moments]
    assert positions == sorted(positions)
    # The one epoch was seen before it had ended.
    assert re.search(r"epoch 1/1  (step \d|validating)", text[: text.index("[1/1]")])


def test_a_shared_beginning_is_shown_with_what_it_saves(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    console = terminal(120)
    progress = Progress(console)
    opened = ledger.ask()
    assert opened is not None
    shared = {"shared_epochs": 2, "seconds_saved": 118.0}
    with progress.trials(ledger):
        progress.on_start(opened)
        progress.on_epoch("0000", EpochDone(report=replace(make_report(2), **shared), device="cpu"))
    lines = shown(text_of(console))
    assert "  0000  epoch 3/3  goes on from a shared beginning, saved 2 min" in lines
    ledger.report("0000", replace(make_report(3), **shared))
    progress.on_end(ledger.finish("0000"))
    assert "4 s after a shared beginning, saved 2 min  best so far" in text_of(console)


def test_what_a_shared_beginning_saves_is_not_said_where_it_is_next_to_nothing(
    tmp_path: Path,
) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    console = terminal(120)
    progress = Progress(console)
    opened = ledger.ask()
    assert opened is not None
    shared = {"shared_epochs": 2, "seconds_saved": 0.4}
    with progress.trials(ledger):
        progress.on_start(opened)
        progress.on_epoch("0000", EpochDone(report=replace(make_report(2), **shared), device="cpu"))
    assert "  0000  epoch 3/3  goes on from a shared beginning" in shown(text_of(console))
    ledger.report("0000", replace(make_report(3), **shared))
    progress.on_end(ledger.finish("0000"))
    assert "saved" not in text_of(console)
