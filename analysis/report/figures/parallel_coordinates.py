"""Parallel coordinates: every trial a line through its parameters to its objective.

Optuna draws one Plotly trace a trial, which a browser takes long to draw for 1,000 trials; here all
trials of one fifth of the ranking by objective share a trace.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.report.figures.style import (
    GREY,
    ORANGE,
    VERMILION,
    compact,
    counted,
    evenly,
    is_logarithmic,
    label_of,
    styled,
)
from analysis.stored_run.columns import ENDED, badness
from analysis.stored_run.run import Run

FloatArray = npt.NDArray[np.float64]

#: name, colour, width and opacity of each fifth, the best first
_GROUPS = (
    ("best fifth", VERMILION, 2.2, 0.9),
    ("second", ORANGE, 1.2, 0.6),
    ("third", GREY, 1.0, 0.5),
    ("fourth", GREY, 1.0, 0.35),
    ("last fifth", GREY, 1.0, 0.2),
)
_N_TICKS = 5
#: lines of one fifth that are drawn: more would be a blot
MAX_LINES = 40
AXIS_WIDTH_PIXELS = 125


class ParallelAxis(NamedTuple):
    """One axis: positions run from 0 at the bottom to 1 at the top."""

    label: str
    tick_positions: list[float]
    tick_labels: list[str]


class ParallelInfo(NamedTuple):
    """The trials that ended as lines, the best last."""

    axes: list[ParallelAxis]
    #: (n_trials, n_axes), in [0, 1]
    positions: FloatArray
    #: fifth of the ranking by objective, 0 the best, (n_trials,)
    group: list[int]


def parallel_info(run: Run, parameters: list[str]) -> ParallelInfo:
    """Lay the trials that ended on one axis a parameter, then the ratio, drift and objective."""
    names = [*parameters, "parameter_ratio", "adversarial_drift", run.objective]
    trials = run.trials[run.trials["state"].isin(ENDED)]
    names = [name for name in dict.fromkeys(names) if name in trials and trials[name].notna().any()]
    trials = trials.dropna(subset=names)
    if not len(trials) or len(names) < 2 or run.objective not in names:
        return ParallelInfo([], np.empty((0, 0)), [])
    bad = badness(run.objective, trials[run.objective].to_numpy(dtype=np.float64))
    order = np.argsort(-bad, kind="stable")
    axes, columns = zip(*(_axis(trials[name].tolist(), name) for name in names), strict=True)
    place = np.empty(len(trials), dtype=np.int64)
    place[order] = np.arange(len(trials))[::-1]
    return ParallelInfo(
        axes=list(axes),
        positions=np.column_stack(columns)[order],
        group=(place[order] * len(_GROUPS) // len(trials)).tolist(),
    )


def parallel_figure(info: ParallelInfo) -> go.Figure | None:
    """Draw the lines, one trace a fifth, the best fifth on top."""
    if not info.axes:
        return None
    n_axes = len(info.axes)
    figure = go.Figure()
    groups = np.array(info.group)
    for group in reversed(range(len(_GROUPS))):
        members = info.positions[groups == group]
        if not len(members):
            continue
        lines = members[evenly(len(members), MAX_LINES)]
        gap = np.full((len(lines), 1), np.nan)
        name, colour, width, opacity = _GROUPS[group]
        figure.add_scatter(
            x=compact(np.tile([*range(n_axes), np.nan], len(lines))),
            y=compact(np.hstack([lines, gap]).ravel()),
            mode="lines",
            line={"color": colour, "width": width},
            opacity=opacity,
            name=f"{name} ({counted(len(lines), len(members))})",
            hoverinfo="skip",
        )
    for i, axis in enumerate(info.axes):
        figure.add_shape(
            type="line", x0=i, x1=i, y0=0, y1=1, line={"color": GREY, "width": 1.2}, layer="below"
        )
        for position, label in zip(axis.tick_positions, axis.tick_labels, strict=True):
            figure.add_annotation(
                x=i, y=position, text=label, showarrow=False, xanchor="left", xshift=3,
                font={"size": 11}, bgcolor="rgba(128,128,128,0.22)", borderpad=1,
            )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(n_axes)),
        ticktext=[axis.label.replace(" ", "<br>", 1) for axis in info.axes],
        showgrid=False,
        range=[-0.15, n_axes - 0.45],
    )
    figure.update_yaxes(visible=False, range=[-0.05, 1.05])
    return styled(figure, height=460)


def _tick(value: float) -> str:
    return f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.2g}"


def _axis(values: list[object], name: str) -> tuple[ParallelAxis, FloatArray]:
    if not all(isinstance(value, int | float) for value in values):
        choices = sorted({str(value) for value in values})
        places = np.linspace(0, 1, len(choices)) if len(choices) > 1 else np.array([0.5])
        position = {choice: float(place) for choice, place in zip(choices, places, strict=True)}
        axis = ParallelAxis(label_of(name), list(position.values()), choices)
        return axis, np.array([position[str(value)] for value in values])
    numbers = np.array(values, dtype=np.float64)
    log = is_logarithmic(numbers, name)
    scale = np.log10(numbers) if log else numbers
    low, high = float(scale.min()), float(scale.max())
    if high == low:
        return ParallelAxis(label_of(name), [0.5], [f"{numbers[0]:.3g}"]), np.full(len(values), 0.5)
    ticks = np.linspace(low, high, _N_TICKS)
    labels = [_tick(10**tick if log else tick) for tick in ticks]
    axis = ParallelAxis(label_of(name), np.linspace(0, 1, _N_TICKS).tolist(), labels)
    return axis, (scale - low) / (high - low)
