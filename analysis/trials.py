"""The trials table: one typed row a trial, from the rows the driver appended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from analysis.column_types import typed_column
from analysis.columns import STATES, TRENDS

_TRIAL_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_REQUIRED = ("trial_id", "state", "reason", "adversarial_trend")


def last_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Keep the last row of each trial, in the order in which the trials first appeared.

    Returns:
        The rows, and how many were dropped because they name no trial or no known state.
    """
    last: dict[str, dict[str, Any]] = {}
    dropped = 0
    for row in rows:
        trial_id, state = row.get("trial_id"), row.get("state")
        # The identifier is also a folder's name: nothing that climbs out of the run.
        if not (isinstance(trial_id, str) and _TRIAL_ID.fullmatch(trial_id)) or state not in STATES:
            dropped += 1
            continue
        last[trial_id] = dict(row)
    return list(last.values()), dropped


def trials_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Build the table (n_trials, n_columns) with the types of `column_types.typed_column`.

    A trial that did not complete keeps its drift, but its trend is unclear: its training did not
    reach the end.
    """
    names = dict.fromkeys([*_REQUIRED, *(name for row in rows for name in row)])
    # A run without guards stores no feasibility: there, finishing is enough.
    if "feasible" not in names:
        rows = [{**row, "feasible": row["state"] == "complete"} for row in rows]
    frame = pd.DataFrame(
        {name: typed_column(name, [row.get(name) for row in rows]) for name in [*names, "feasible"]}
    )
    known = (frame["state"] == "complete") & frame["adversarial_trend"].isin(TRENDS)
    frame["adversarial_trend"] = frame["adversarial_trend"].where(known, "unclear")
    return frame
