"""Rows that were lost although what came after them was not, made again from what there is."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from analysis.statistics.curve_summary import summarise_curves
from models.file_names import CURVES, VALIDATION
from search.config import SearchConfig
from search.run.directory import RunFolder, read_rows, utc_now
from search.run.trial_rows import ATTRIBUTES, Row, TrialRecord, started_row, training_settings
from search.study.asking import trial_id_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: Optuna's names of states -> ours
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def row_from_study(
    run: RunFolder, config: SearchConfig, stored: FrozenTrial, started: Row | None
) -> Row:
    """The row of a trial's end, of which only the study knows.

    A disk that did not keep what it had confirmed, or a copy that was made while the search ran,
    may hold a study that is ahead of the rows. The study has nearly all of such a row as
    attributes; the rest comes from the trial's losses and validations, as far as they are there.

    Args:
        run: where the trial's files are.
        config: of the search.
        stored: the trial, which has ended.
        started: the row of its start, if that is there.
    """
    record = TrialRecord(
        trial_id=trial_id_of(stored.number),
        settings=training_settings(stored, config, started),
        started_at=started["started_at"] if started else utc_now(),
        repeat_of=stored.user_attrs.get("repeat_of"),
    )
    folder = run.trial_folder(record.trial_id)
    validations = read_rows(folder / VALIDATION)
    last = validations[-1] if validations else {}
    state, ended = _STATES[stored.state.name], stored.datetime_complete
    row = started_row(record, config)
    return {
        **row,
        **{key: row.get(key) for key in ATTRIBUTES},
        "state": state,
        "reason": None if state == "complete" else "ended, as the study says",
        "ended_at": ended and ended.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": last.get("seconds"),
        "images": last.get("images"),
        "epochs": last.get("epoch", 0),
        "steps": last.get("step", 0),
        "discriminator_auc": last.get("discriminator_auc"),
        "shared_epochs": last.get("shared_epochs", 0),
        "seconds_saved": last.get("seconds_saved", 0.0),
        **summarise_curves(read_rows(folder / CURVES)),
        **{key: stored.user_attrs[key] for key in ATTRIBUTES if key in stored.user_attrs},
    }
