"""What a discriminator shows early: its AUC and its gap p(real) - p(fake) after two epochs.

Epochs count from the first in which it is trained, so pre-training does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.statistics.nested.samples import EARLY_AUC, EARLY_EPOCHS, EARLY_GAP
from analysis.stored_run.rows import decode_row
from analysis.stored_run.run import Run

#: rows of curves that are decoded of all trials together, roughly
_MAX_ROWS = 120_000


def early_signals(run: Run, trial_ids: Sequence[str]) -> pd.DataFrame:
    """One row a trial: `trial_id` and both signals, NaN where a trial has none."""
    rows = []
    for trial_id in trial_ids:
        lines = run.curve_lines(trial_id)
        step = max(1, len(trial_ids) * len(lines) // _MAX_ROWS)
        decoded = (row for line in lines[::step] if (row := decode_row(line)) is not None)
        gap = early_gap(decoded)
        rows.append(
            {
                "trial_id": trial_id,
                EARLY_GAP: gap,
                EARLY_AUC: early_auc(run.validation(trial_id)),
            }
        )
    return pd.DataFrame(rows, columns=["trial_id", EARLY_GAP, EARLY_AUC])


def early_gap(windows: Iterable[Mapping[str, Any]]) -> float:
    """Mean of p(real) - p(fake) in the last of the early epochs, from windows in their order."""
    start = math.nan
    gaps: list[float] = []
    for window in windows:
        epoch, real, fake = (
            _number(window.get(name)) for name in ("epoch", "probability_real", "probability_fake")
        )
        if not math.isfinite(epoch + real + fake):
            continue
        if math.isnan(start):
            start = math.ceil(epoch) - 1
        if epoch > start + EARLY_EPOCHS + 1e-6:
            break
        if epoch > start + EARLY_EPOCHS - 1 + 1e-6:
            gaps.append(real - fake)
    return float(np.mean(gaps)) if gaps else math.nan


def early_auc(validations: Iterable[Mapping[str, Any]]) -> float:
    """The AUC at the end of the last of the early epochs, from one row an epoch."""
    known = [_number(row.get("discriminator_auc")) for row in validations]
    known = [value for value in known if math.isfinite(value)]
    return known[EARLY_EPOCHS - 1] if len(known) >= EARLY_EPOCHS else math.nan


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else math.nan  # type: ignore[arg-type]
