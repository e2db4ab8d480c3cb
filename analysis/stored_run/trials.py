"""The trials table: one typed row a trial, from the rows the driver appended."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from analysis.stored_run.column_types import typed_column
from analysis.stored_run.columns import STATES, TRENDS, UNJUDGED_TRENDS
from analysis.stored_run.rows import decode_row, whole_lines

#: rows open with the trial's identifier
_LEADING_TRIAL_ID = re.compile(r'\{"trial_id": ?"([0-9A-Za-z_-]{1,64})"')
_TRIAL_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_REQUIRED = ("trial_id", "state", "reason", "adversarial_trend")


def last_rows(content: bytes | None) -> tuple[list[dict[str, Any]], int]:
    """Read the last row of each trial from trials.jsonl, in the order in which the trials started.

    Returns:
        The rows, and how many lines could not be read or name no trial or no known state; for such
        a line the trial's row before it counts.
    """
    lines_of: dict[str, list[str]] = {}
    broken = 0
    for line in whole_lines(content):
        match = _LEADING_TRIAL_ID.match(line)
        row = None if match else decode_row(line)
        if match:
            lines_of.setdefault(match[1], []).append(line)
        elif row is not None and _is_trial(row):
            lines_of.setdefault(row["trial_id"], []).append(line)
        else:
            broken += 1
    last: dict[str, dict[str, Any]] = {}
    for lines in lines_of.values():
        # Decoding is most of the work, and all rows of a trial but the last are superseded.
        for line in reversed(lines):
            row = decode_row(line)
            if row is not None and _is_trial(row):
                last[row["trial_id"]] = row
                break
            broken += 1
    return list(last.values()), broken


def _is_trial(row: dict[str, Any]) -> bool:
    # The identifier is also a folder's name: nothing that climbs out of the run.
    trial_id = row.get("trial_id")
    return (
        isinstance(trial_id, str)
        and _TRIAL_ID.fullmatch(trial_id) is not None
        and row.get("state") in STATES
    )


def trials_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Build the table (n_trials, n_columns) with the types of `column_types.typed_column`.

    A trial that did not complete keeps its drift, but its trend is unclear: its training did not
    reach the end. A complete one whose discriminator no longer judges is `idle` or `overpowered`,
    also in a run that was stored before there were these two.
    """
    names = dict.fromkeys(_REQUIRED)
    for row in rows:
        names.update(dict.fromkeys(row))
    # A run without guards stores no feasibility: there, finishing is enough.
    if "feasible" not in names:
        rows = [{**row, "feasible": row["state"] == "complete"} for row in rows]
    frame = pd.DataFrame(
        {name: typed_column(name, [row.get(name) for row in rows]) for name in [*names, "feasible"]}
    )
    known = (frame["state"] == "complete") & frame["adversarial_trend"].isin(TRENDS)
    trend = frame["adversarial_trend"].where(known, "unclear")
    if "discriminator_verdict" in frame:
        unjudged = frame["discriminator_verdict"].map(UNJUDGED_TRENDS)
        trend = trend.mask((frame["state"] == "complete") & unjudged.notna(), unjudged)
    frame["adversarial_trend"] = trend.astype("str")
    return frame
