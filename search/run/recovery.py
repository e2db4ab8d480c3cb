"""The state of a search that an earlier process left, from its folder and its study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import Trial

from data_pipeline.durable import make_folder
from models.file_names import PARAMETERS
from models.metrics.names import METRICS
from models.training.report import EpochReport
from search.config import SearchConfig
from search.run.directory import RunFolder, append_rows, cut_rows, read_rows, utc_now, write_json
from search.run.ended_trials import EndedTrial
from search.run.lost_rows import row_from_study
from search.run.trial_files import take_up_rows
from search.run.trial_rows import OpenTrial, Row, divergence, started_row, training_settings
from search.study.asking import ASKED, resume_trial, trial_id_of
from search.study.creation import distributions


@dataclass(frozen=True)
class RecoveredState:
    """Every trial that was asked for, by what is still to be done for it."""

    #: nothing
    ended: list[EndedTrial] = field(default_factory=list)
    #: to be told to the study, which a kill kept from hearing what their rows say
    untold: list[tuple[Trial, Row]] = field(default_factory=list)
    #: to be finished: all their epochs are reported
    trained: list[OpenTrial] = field(default_factory=list)
    #: to go on from their last epoch
    interrupted: list[OpenTrial] = field(default_factory=list)


def recover(run: RunFolder, study: optuna.Study, config: SearchConfig) -> RecoveredState:
    """Read the state of a search; empty for a new one.

    Half-written rows are cut off and what a kill kept from being drawn or written at a trial's
    start is drawn and written now; so is a row that the study shows to be lost. The trials of
    `untold` are in `ended` too.
    """
    state = RecoveredState()
    rows_path = run.path / "trials.jsonl"
    written = read_rows(rows_path)
    cut_rows(rows_path, keep=len(written))
    rows = {row["trial_id"]: row for row in written}
    space = distributions(config.space)
    for stored in study.get_trials(deepcopy=False, states=ASKED):
        row: Row | None = rows.get(trial_id_of(stored.number))
        has_ended = row is not None and row["state"] != "running"
        if stored.state.is_finished() and not has_ended:
            row = row_from_study(run, config, stored, row)
            has_ended = True
            append_rows(rows_path, [row])
        if row is not None and has_ended:
            state.ended.append(EndedTrial.from_row(row, config.make_objective()))
        if stored.state.is_finished():
            continue
        trial = resume_trial(study, config, space, stored)
        if row is not None and has_ended:
            state.untold.append((trial, row))
            continue
        opened = _reopen(run, config, trial, row, study_epoch=stored.last_step or 0)
        (state.trained if opened.done or opened.stopped else state.interrupted).append(opened)
    return state


def _reopen(
    run: RunFolder, config: SearchConfig, trial: Trial, row: Row | None, *, study_epoch: int
) -> OpenTrial:
    opened = OpenTrial(
        trial=trial,
        trial_id=trial_id_of(trial.number),
        settings=training_settings(trial, config, row),
        started_at=row["started_at"] if row else utc_now(),
        repeat_of=trial.user_attrs.get("repeat_of"),
        study_epoch=study_epoch,
    )
    folder = run.trial_folder(opened.trial_id)
    make_folder(folder)
    write_json(folder / PARAMETERS, opened.settings.to_dict())
    if row is None:
        append_rows(run.path / "trials.jsonl", [started_row(opened, config)])
    opened.windows, validations = take_up_rows(folder)
    if validations:
        opened.report = _last_report(validations, config)
        opened.reported_epoch = opened.report.epoch
        objectives = (config.objective, *config.second_objectives)
        opened.stopped = divergence(opened.report.metrics, objectives)
    return opened


def _last_report(validations: Sequence[Row], config: SearchConfig) -> EpochReport:
    """The report of the last row, without its windows, which are in a file of their own."""
    last = validations[-1]
    best = min(validations, key=config.make_objective().sort_key)
    return EpochReport(
        epoch=last["epoch"],
        step=last["step"],
        images=last["images"],
        seconds=last["seconds"],
        windows=[],
        metrics=_metrics(last),
        feasible=last["feasible"],
        best_epoch=best["epoch"],
        best_metrics=_metrics(best),
        done=last["epoch"] >= config.max_epochs,
        discriminator_auc=last.get("discriminator_auc"),
        shared_epochs=last.get("shared_epochs", 0),
        seconds_saved=last.get("seconds_saved", 0.0),
    )


def _metrics(row: Row) -> dict[str, float]:
    # What was not finite is null in a row.
    return {name: row[name] for name in METRICS if row.get(name) is not None}
