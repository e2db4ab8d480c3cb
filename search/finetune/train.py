"""Trains one configuration to full length in this process, without Ray, as a run of one trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from data_pipeline.cache.build import open_cache
from models.accelerator.thread_choice import threads_are_fixed, with_adaptive_threads
from models.training.device import resolve_compute
from models.training.epoch_progress import EpochProgress
from models.training.loss_window import NonFiniteLossError
from models.training.report import EpochReport
from models.training.trial import TrialTraining
from search import interrupts
from search.finetune.origin import resume_training
from search.finetune.output_folder import TrainFolder
from search.finetune.training_progress import TrainProgress
from search.run.directory import append_rows, cut_rows, read_json, read_rows, utc_now
from search.run.photos import split_of, tested_of
from search.run.trial_files import append_report, take_up_rows
from search.run.trial_rows import Row, TrialOutcome, TrialRecord, ended_row, started_row


class TrainingFailedError(RuntimeError):
    """The training cannot go on; what it has learnt until then is kept."""


def train(
    folder: TrainFolder,
    cache_path: Path,
    *,
    time_budget_sec: float | None,
    progress: TrainProgress,
) -> Row:
    """Train until all epochs are done, or until the epoch in which the time budget ends.

    Goes on from the checkpoint in the folder, if there is one. It uses the threads that torch
    takes by itself, one for each core, or only one of them where something else keeps a core busy.

    Returns:
        The trial's row of trials.jsonl.

    Raises:
        TrainingFailedError: a loss is no longer finite.
        KeyboardInterrupt: interrupted; the folder can be resumed.
    """
    started = time.monotonic()
    trial = _open_trial(folder, cache_path)
    recorder = _TrialRecorder(folder, trial)
    with progress.epochs(trial):
        while not trial.done:
            try:
                report = trial.run_epoch(on_step=_interruptible(progress.on_step))
            except NonFiniteLossError as error:
                recorder.end(TrialOutcome("failed", f"non-finite loss: {error}"))
                raise TrainingFailedError(_advice(folder, trial, error)) from error
            recorder.record(report)
            progress.on_epoch(report)
            interrupts.check()
            if time_budget_sec is not None and time.monotonic() - started > time_budget_sec:
                break
    if trial.done:
        return recorder.end(TrialOutcome("complete"))
    return recorder.end(
        TrialOutcome("pruned", f"stopped by the time budget of {time_budget_sec:g} s")
    )


class _TrialRecorder:
    """The rows of the one trial."""

    def __init__(self, folder: TrainFolder, trial: TrialTraining) -> None:
        self._trial, self._config = trial, folder.config
        self._rows_path = folder.run.path / "trials.jsonl"
        windows, validations = take_up_rows(trial.folder)
        self._record = TrialRecord(
            trial_id=folder.origin.trial_id,
            settings=trial.settings,
            started_at=utc_now(),
            windows=windows,
            device=str(trial.training.compute),
        )
        written = read_rows(self._rows_path)
        cut_rows(self._rows_path, keep=len(written))
        if written and written[-1]["state"] == "running":
            self._record.started_at = written[-1]["started_at"]
        else:
            append_rows(self._rows_path, [started_row(self._record, self._config)])
        last = trial.last_report
        if last is None:
            return
        self._record.report = last
        if not validations or last.epoch > validations[-1]["epoch"]:
            # Killed after the checkpoint and before its rows.
            self.record(last)

    def record(self, report: EpochReport) -> None:
        """Write an epoch's rows."""
        append_report(self._trial.folder, report.to_dict())
        self._record.windows += report.windows
        self._record.report = report

    def end(self, outcome: TrialOutcome) -> Row:
        """Write how it ended."""
        row = ended_row(self._record, self._config, outcome)
        append_rows(self._rows_path, [row])
        return row


def _open_trial(folder: TrainFolder, cache_path: Path) -> TrialTraining:
    config, settings = folder.config, folder.settings
    cache = open_cache(cache_path)
    compute = resolve_compute(config.device, settings.precision)
    return TrialTraining(
        folder.trial_folder,
        settings=settings,
        max_epochs=config.max_epochs,
        cache=cache,
        split=split_of(config, cache.hashes, tested_of(read_json(folder.run.path / "data.json"))),
        objective=config.make_objective(),
        compute=compute if threads_are_fixed() else with_adaptive_threads(compute),
        max_validation_photos=config.max_validation_photos,
    )


def _interruptible(on_step: Callable[[EpochProgress], None]) -> Callable[[EpochProgress], None]:
    def checked(reached: EpochProgress) -> None:
        interrupts.check()
        on_step(reached)

    return checked


def _advice(folder: TrainFolder, trial: TrialTraining, error: NonFiniteLossError) -> str:
    # The networks in memory have gone past it; the checkpoint is of the last good epoch.
    epochs = trial.last_report.epoch if trial.last_report else 0
    what = f"the training diverged after epoch {epochs}: {error}"
    if not epochs:
        return f"{what}; choose another trial"
    return f"{what}; to export its best epoch: {resume_training(folder.out)} --epochs {epochs}"
