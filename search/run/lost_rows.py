"""Rows that were lost although what came after them was not, made again from what there is."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.statistics.curve_summary import summarise_curves
from models.file_names import CURVES, VALIDATION
from search.config import SearchConfig
from search.run.directory import read_rows
from search.run.trial_rows import ATTRIBUTES, TrialRecord, started_row

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

#: Optuna's names of states -> ours
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def end_from_study(
    stored: FrozenTrial, record: TrialRecord, config: SearchConfig, folder: Path
) -> dict[str, Any]:
    """The row of a trial's end, of which only the study knows.

    A disk that does not keep what it says it has synced, or a copy that was made while the search
    ran, may hold a study that is ahead of the rows. The study has nearly all of the row as
    attributes; the rest comes from the rows of losses and validations in the trial's `folder`.
    """
    validations = read_rows(folder / VALIDATION)
    last = validations[-1] if validations else {}
    known = {key: stored.user_attrs[key] for key in ATTRIBUTES if key in stored.user_attrs}
    ended = stored.datetime_complete
    return {
        **started_row(record, config),
        "state": _STATES[stored.state.name],
        "reason": None if stored.state.name == "COMPLETE" else "ended, as the study says",
        "ended_at": ended and ended.astimezone(UTC).isoformat(timespec="seconds"),
        **{key: last.get(key) for key in ("seconds", "images")},
        "epochs": last.get("epoch", 0),
        "steps": last.get("step", 0),
        **summarise_curves(read_rows(folder / CURVES)),
        **known,
    }
