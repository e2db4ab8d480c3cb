"""What TensorBoard is given: every window once, also when a search is resumed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image

from models.training.report import EpochReport
from models.training.settings import TrainingSettings
from search.tune.messages import EpochDone, TrialFailed, TrialStart, to_result
from search.tune.tensorboard import TensorBoardCallback
from tests.search.ledgers import EPOCHS, WINDOWS, make_job, make_report
from tests.search.tune.events import read_events


def trial(reported_epoch: int = 0) -> Any:
    start = TrialStart(
        job=make_job(Path("absent")),
        trial_id="0007",
        settings=TrainingSettings(generator_complexity=24),
        reported_epoch=reported_epoch,
    )
    return SimpleNamespace(config=start.to_config())


def report_to(
    callback: TensorBoardCallback, reported: Any, *reports: EpochReport | TrialFailed
) -> None:
    for report in reports:
        message = (
            EpochDone(report=report, device="cpu") if isinstance(report, EpochReport) else report
        )
        callback.on_trial_result(0, [], reported, to_result(message))


def test_a_resumed_trial_goes_on_where_it_was(tmp_path: Path) -> None:
    first = TensorBoardCallback(tmp_path / "logs", tmp_path / "trials")
    report_to(first, trial(), make_report(1))
    first.on_experiment_end([])
    second = TensorBoardCallback(tmp_path / "logs", tmp_path / "trials")
    # The epoch that the driver knows already is reported once more.
    report_to(second, trial(1), *(make_report(epoch) for epoch in range(1, EPOCHS + 1)))
    second.on_trial_complete(0, [], trial(1))
    logged = read_events(tmp_path / "logs" / "0007")
    assert len(logged.scalars["losses/reconstruction"]) == EPOCHS * WINDOWS
    assert sorted(logged.scalars["metrics/set_swd"]) == [10, 20, 30]
    assert logged.repeated == 0
    assert logged.hparams["generator_complexity"] == 24


def test_a_failure_leaves_what_was_learnt_and_the_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "0007"
    folder.mkdir(parents=True)
    Image.new("RGB", (12, 6), "green").save(folder / "samples.png")
    callback = TensorBoardCallback(tmp_path / "logs", tmp_path / "trials")
    report_to(callback, trial(), make_report(1), TrialFailed("out of memory"))
    callback.on_trial_complete(0, [], trial())
    logged = read_events(tmp_path / "logs" / "0007")
    assert len(logged.scalars["losses/adversarial"]) == WINDOWS
    assert logged.pictures == {"samples": (folder / "samples.png").read_bytes()}


def test_a_trial_that_never_reported_leaves_nothing(tmp_path: Path) -> None:
    callback = TensorBoardCallback(tmp_path / "logs", tmp_path / "trials")
    report_to(callback, trial(), TrialFailed("out of memory"))
    callback.on_trial_error(0, [], trial())
    assert not (tmp_path / "logs").exists()
