"""The loss curves of each trial, thin enough for a page.

The report draws a trial's curves in the browser, when someone looks at them, from `LossInfo`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from analysis.report.figures.overlay import Overlay, TrialCurve, overlay_of
from analysis.report.figures.style import evenly
from analysis.statistics.change_point import Flattening, flattening_of
from analysis.statistics.discriminator_health import DiscriminatorHealth, discriminator_health
from analysis.statistics.stagnation import as_floats, last_half
from analysis.stored_run.columns import TRENDS
from analysis.stored_run.rows import decode_row
from analysis.stored_run.run import Run

LOSSES = ("adversarial", "reconstruction", "discriminator_real", "discriminator_fake")
#: rows that are decoded of one trial, and of all trials of a page; the moving averages in them
#: cover the steps between them too
MAX_ROWS, _MAX_ROWS_OF_ALL = 250, 120_000
MIN_ROWS = 60
#: numbers of loss curves that a page carries at most, about 6 bytes each
_MAX_NUMBERS = 600_000


class LossInfo(NamedTuple):
    """Curves of one trial, each list (n_points,); None where a window has no value."""

    trial_id: str
    epoch: list[float]
    #: window means and their exponential moving averages by name of the loss
    raw: dict[str, list[float | None]]
    average: dict[str, list[float | None]]
    #: drift line of the adversarial loss: epochs and values of its two ends
    drift_line: tuple[list[float], list[float]] | None
    #: change point of the adversarial loss, its step given as an epoch
    flattening: Flattening
    health: DiscriminatorHealth


def loss_info(
    run: Run,
    trial_id: str,
    *,
    drift: float | None,
    max_rows: int = MAX_ROWS,
    max_points: int = MAX_ROWS,
) -> LossInfo | None:
    """Read the curves of one trial, measure at most `max_rows` and keep `max_points` to draw.

    Args:
        run: the run.
        trial_id: the trial.
        drift: its stored adversarial drift in per cent, None or NaN where there is none.
        max_rows: rows to decode.
        max_points: points to keep.

    Returns:
        None where the trial has no curve.
    """
    rows = _thin_rows(run, trial_id, max_rows)
    rows = [row for row in rows if isinstance(row.get("epoch"), int | float)]
    if not rows:
        return None
    epochs = [float(row["epoch"]) for row in rows]
    adversarial = _finite([row.get("adversarial") for row in rows])
    kept = evenly(len(rows), max_points)
    kept_rows = [rows[i] for i in kept]
    return LossInfo(
        trial_id=trial_id,
        epoch=[round(epochs[i], 3) for i in kept],
        raw=_columns(kept_rows, {name: name for name in LOSSES}),
        average=_columns(kept_rows, {name: f"{name}_ema" for name in LOSSES}),
        drift_line=None if drift is None else _drift_line(epochs, adversarial, drift),
        flattening=flattening_of(adversarial, steps=epochs),
        health=discriminator_health(rows),
    )


def loss_infos(run: Run, trial_ids: list[str]) -> list[LossInfo]:
    """Read the curves of many trials, the thinner the more there are."""
    n = max(1, len(trial_ids))
    max_rows = min(MAX_ROWS, max(MIN_ROWS, _MAX_ROWS_OF_ALL // n))
    max_points = min(MAX_ROWS, max(30, _MAX_NUMBERS // n // (2 * len(LOSSES) + 1)))
    missing = [np.nan] * len(run.trials)
    stored = run.trials.get("adversarial_drift", missing)
    drifts = dict(zip(run.trials["trial_id"], stored, strict=True))
    infos = (
        loss_info(run, t, drift=drifts[t], max_rows=max_rows, max_points=max_points)
        for t in trial_ids
    )
    return [info for info in infos if info is not None]


def loss_overlay(run: Run, infos: list[LossInfo], labels: Mapping[str, str]) -> Overlay:
    """Group the averaged adversarial losses by trend, those of trials that did not complete apart.

    `labels` names the winners by their identifiers.
    """
    state = dict(zip(run.trials["trial_id"], run.trials["state"], strict=True))
    trend = dict(zip(run.trials["trial_id"], run.trials["adversarial_trend"], strict=True))
    groups: dict[str, list[TrialCurve]] = {name: [] for name in ("unfinished", *TRENDS)}
    for info in infos:
        complete = state[info.trial_id] == "complete"
        groups[trend[info.trial_id] if complete else "unfinished"].append(
            TrialCurve(info.trial_id, info.epoch, info.average["adversarial"])
        )
    return overlay_of(groups, labels)


def _thin_rows(run: Run, trial_id: str, max_rows: int) -> list[dict[str, Any]]:
    lines = run.curve_lines(trial_id)
    rows = (decode_row(lines[i]) for i in evenly(len(lines), max_rows))
    return [row for row in rows if row is not None]


def _drift_line(
    epochs: list[float], adversarial: list[float | None], drift: float
) -> tuple[list[float], list[float]] | None:
    x, y = last_half(adversarial, epochs)
    if not y.size or not isfinite(drift):
        return None
    start = (next(e for e, v in zip(epochs, adversarial, strict=True) if v is not None) + x[-1]) / 2
    level = float(np.median(y))
    half = drift / 200 * abs(level)
    return [round(float(start), 3), round(float(x[-1]), 3)], [
        round(level - half, 5),
        round(level + half, 5),
    ]


def _finite(values: list[Any]) -> list[float | None]:
    """The values as they are, with None for whatever is no finite number."""
    numbers = as_floats(values)
    return [v if isfinite(v) else None for v in numbers.tolist()]


def _columns(rows: list[dict[str, Any]], keys: dict[str, str]) -> dict[str, list[float | None]]:
    """Columns of the rows to four significant digits, None for holes, by name."""
    table = as_floats([row.get(key) for key in keys.values() for row in rows])
    with np.errstate(all="ignore"):
        digits = 3 - np.floor(np.log10(np.abs(table)))
        scale = 10.0 ** np.clip(np.where(np.isfinite(digits), digits, 0), -300, 300)
        # Dividing by a power of ten gives the float that prints with the fewest digits.
        table = np.where(table == 0, 0.0, np.round(table * scale) / scale)
    values = [v if isfinite(v) else None for v in table.tolist()]
    n = len(rows)
    return {name: values[i * n : (i + 1) * n] for i, name in enumerate(keys)}
