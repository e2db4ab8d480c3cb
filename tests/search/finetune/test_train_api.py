"""A training from Python: the same as by the command, with a callback, and a quiet guest."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

import chromatune
from data_pipeline.errors import InputError
from models.bundle.store import load_bundle
from models.training.report import EpochReport
from search.finetune.train_session import Trained
from search.run.directory import read_json
from search.steering.run_status import run_status
from tests.search.trained import EPOCHS, SEARCHED, assert_same_training, contents

pytestmark = pytest.mark.usefixtures("run")


def test_it_trains_as_the_command_does_and_calls_back(
    run: Path, straight: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[EpochReport] = []

    def on_epoch(report: EpochReport) -> None:
        print(f"heard of {report.epoch}")
        heard.append(report)

    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    out = tmp_path / "final"
    trained = chromatune.train(run, out=out, epochs=EPOCHS, on_epoch=on_epoch, quiet=True)
    assert_same_training(out, straight)
    assert [report.epoch for report in heard] == [*range(SEARCHED + 1, EPOCHS + 1)]
    best = heard[-1]
    assert trained == Trained(
        path=out,
        trial_id="0000",
        epochs=EPOCHS,
        max_epochs=EPOCHS,
        best_epoch=best.best_epoch,
        metrics=best.best_metrics,
        objective="set_swd",
        stopped=None,
        broken_guards=trained.broken_guards,
    )
    assert chromatune.load(out).config["epoch"] == trained.best_epoch
    assert read_json(out / "training/run.json")["command"] == ["chromatune.train"]
    captured = capsys.readouterr()
    assert captured.out == "".join(f"heard of {report.epoch}\n" for report in heard)
    assert captured.err == ""
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_error_of_the_callback_and_an_interruption_leave_it_resumable(
    run: Path, straight: Path, tmp_path: Path
) -> None:
    out = tmp_path / "final"

    def fail(report: EpochReport) -> None:
        raise OSError(f"the notebook's own disk is full after epoch {report.epoch}")

    with pytest.raises(OSError, match="the notebook's own disk is full after epoch 3"):
        chromatune.train(run, out=out, epochs=EPOCHS, on_epoch=fail, quiet=True)
    assert read_json(out / "training/run.json")["status"] == "interrupted"

    def interrupt(report: EpochReport) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        chromatune.train(out=out, resume=True, on_epoch=interrupt, quiet=True)
    assert read_json(out / "training/run.json")["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # `chromatune status` and the live report know that it is no search.
    status = run_status(out / "training", now=datetime.now(UTC))
    assert status.notes == (f"go on with: chromatune train --resume --out {out}",)
    assert status.to_live_state().headline.startswith("The training has ended: interrupted")
    trained = chromatune.train(out=out, resume=True, quiet=True)
    assert (trained.epochs, trained.stopped) == (EPOCHS, None)
    assert_same_training(out, straight)


def test_a_trained_bundle_can_be_trained_on(run: Path, straight: Path, tmp_path: Path) -> None:
    before = contents(straight)
    out = tmp_path / "longer"
    trained = chromatune.train(straight, out=out, epochs=EPOCHS + 1, quiet=True)
    assert trained.epochs == EPOCHS + 1
    config = load_bundle(out).config
    assert config["training"] == {"epochs": EPOCHS + 1, "continued_after_epoch": EPOCHS}
    assert contents(straight) == before
    # To go on with it, it may be named in the same way.
    again = chromatune.train(straight, out=out, epochs=EPOCHS + 2, resume=True, quiet=True)
    assert again.epochs == EPOCHS + 2


def test_a_time_budget_ends_it_early_and_other_photos_begin_again(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = chromatune.train(
        run, out=tmp_path / "out", epochs=4, images="synthetic:36", time_budget_sec=1e-3
    )
    assert (trained.epochs, trained.max_epochs, trained.best_epoch) == (1, 4, 1)
    assert trained.stopped == "stopped by the time budget of 0.001 s"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "its photos are not those of --images" in captured.err
    assert "go on with: chromatune train --resume --out" in captured.err


def test_what_makes_no_sense_changes_nothing(run: Path, tmp_path: Path) -> None:
    refused = {
        "--time-budget must be above 0, but got -1 s": {"time_budget_sec": -1.0},
        "by must be one of colour, balance": {"by": "luck"},
        "--epochs must be above the 2": {"epochs": 1},
    }
    for rule, settings in refused.items():
        with pytest.raises(InputError, match=rule):
            chromatune.train(run, out=tmp_path / "out", quiet=True, **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--from must name the folder of a run"):
        chromatune.train(out=tmp_path / "out", quiet=True)
    assert list(tmp_path.iterdir()) == []
