"""Which trial of a run a person means."""

from __future__ import annotations

import re
from typing import Any

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.stored_run.run import Run
from data_pipeline.errors import InputError


def best_trial(run: Run, *, command: str) -> dict[str, Any]:
    """The leaderboard's first row whose trial ended well; InputError when there is none.

    `command` is what needs it, for the message.
    """
    for row in _rows(run).values():
        if row["state"] in ("complete", "pruned"):
            return row
    raise InputError(
        f"{command} needs a trial that has ended, but {run.name} has none; wait for the search "
        "or resume it"
    )


def named_trial(run: Run, trial: str) -> dict[str, Any]:
    """The leaderboard's row of a trial, in whatever state; InputError when the run has none such.

    Zeros in front may be left out: 7 means 0007.
    """
    rows = _rows(run)
    wanted = trial.zfill(4) if re.fullmatch(r"\d+", trial) else trial
    if wanted not in rows:
        last = max(rows, default="none")
        raise InputError(f"--trial must be a trial of the run (up to {last}), but got {trial!r}")
    return rows[wanted]


def reason_of(row: dict[str, Any]) -> str | None:
    """Why a trial ended as it did, if that was written down."""
    # A table's missing text is NaN.
    reason = row.get("reason")
    return reason if isinstance(reason, str) and reason else None


def _rows(run: Run) -> dict[str, dict[str, Any]]:
    records = build_leaderboard(run).to_dict("records")
    return {
        str(record["trial_id"]): {str(key): value for key, value in record.items()}
        for record in records
    }
