"""The loss curves of each trial, thin enough for a page, and all trials overlaid.

The report draws a trial's curves in the browser, when someone looks at them, from `LossInfo`.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from analysis.report.figures.style import (
    GREY,
    ORANGE,
    TREND_COLOURS,
    compact,
    counted,
    evenly,
    styled,
)
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
#: curves of one trend in the overlay: more would be a blot
MAX_CURVES = 60
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


class OverlayInfo(NamedTuple):
    """Averaged adversarial losses of all trials, by trend of the complete ones."""

    #: (epochs, values) of each trial shown, best rank first
    curves: dict[str, list[tuple[list[float], list[float | None]]]]
    #: trials of each group, shown or not
    n_trials: dict[str, int]
    winner: tuple[list[float], list[float | None]] | None


def overlay_info(run: Run, infos: list[LossInfo], *, winner: str | None) -> OverlayInfo:
    """Group the curves by trend; trials that did not complete form the group `unfinished`."""
    state = dict(zip(run.trials["trial_id"], run.trials["state"], strict=True))
    trend = dict(zip(run.trials["trial_id"], run.trials["adversarial_trend"], strict=True))
    curves: dict[str, list[tuple[list[float], list[float | None]]]] = {
        name: [] for name in ("unfinished", *TRENDS)
    }
    best = None
    for info in infos:
        kept = evenly(len(info.epoch), 80)
        values = info.average["adversarial"]
        curve = ([info.epoch[i] for i in kept], [values[i] for i in kept])
        if all(value is None for value in curve[1]):
            continue
        complete = state[info.trial_id] == "complete"
        curves[trend[info.trial_id] if complete else "unfinished"].append(curve)
        if info.trial_id == winner:
            best = (info.epoch, values)
    return OverlayInfo(
        curves={
            name: [group[i] for i in evenly(len(group), MAX_CURVES)]
            for name, group in curves.items()
            if group
        },
        n_trials={name: len(group) for name, group in curves.items() if group},
        winner=best,
    )


def overlay_figure(info: OverlayInfo) -> go.Figure | None:
    """Draw every trial's averaged adversarial loss, one trace a trend, the winner on top."""
    if not info.curves:
        return None
    figure = go.Figure()
    for name, group in info.curves.items():
        x = [value for epochs, _ in group for value in (*epochs, np.nan)]
        y = [np.nan if v is None else v for _, values in group for v in (*values, None)]
        figure.add_scatter(
            x=compact(x),
            y=compact(y),
            mode="lines",
            line={"color": TREND_COLOURS.get(name, GREY), "width": 1.2, "dash": _dash(name)},
            opacity=0.7 if len(group) <= 20 else 0.45,
            name=f"{name} ({counted(len(group), info.n_trials[name])})",
            hoverinfo="skip",
        )
    if info.winner is not None:
        epochs, values = info.winner
        figure.add_scatter(
            x=compact(epochs),
            y=compact([np.nan if v is None else v for v in values]),
            mode="lines",
            line={"color": ORANGE, "width": 3},
            name="rank 1",
            hovertemplate="epoch %{x:.1f}: %{y:.3g}<extra>rank 1</extra>",
        )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text="adversarial loss (moving average)")
    return styled(figure, height=440)


def _dash(name: str) -> str:
    return {"unfinished": "dot", "unclear": "dash"}.get(name, "solid")


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
