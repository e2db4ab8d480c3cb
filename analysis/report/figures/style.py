"""Colours and layout that all figures share.

Colours are those of Okabe and Ito (2008, "Color universal design", jfly.uni-koeln.de/color), which
people with any common colour-vision deficiency can tell apart; trends differ in marker as well.
They are written for a light page; `report.js` maps them for a dark one and sets the text colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.leaderboard.winners import BEST_BALANCE

BLUE, SKY, VERMILION, ORANGE = "#0072b2", "#56b4e9", "#d55e00", "#e69f00"
PURPLE, GREY, GREEN = "#cc79a7", "#8a8a8a", "#009e73"

TREND_COLOURS = {
    "stagnant": BLUE,
    "unclear": GREY,
    "rising": VERMILION,
    "falling": PURPLE,
    "idle": GREY,
    "overpowered": GREY,
}
TREND_MARKERS = {
    "stagnant": "circle",
    "unclear": "circle-open",
    "rising": "triangle-up",
    "falling": "triangle-down",
    "idle": "x-thin-open",
    "overpowered": "cross-thin-open",
}
#: how every figure shows a winner: the balance with a colour and marker of its own
_WINNER_STYLES = {BEST_BALANCE: (GREEN, "hexagram")}
_BEST_COLOURS_STYLE = (ORANGE, "star")
STATE_COLOURS = {"complete": BLUE, "pruned": SKY, "failed": VERMILION, "running": GREY}
#: runs from dark blue to yellow for any kind of colour vision (Nunez et al. 2018, PLoS ONE 13)
SEQUENTIAL = "Cividis"

#: what people call the columns
LABELS = {
    "generator_complexity": "generator width",
    "discriminator_complexity": "discriminator width",
    "generator_lr": "generator learning rate",
    "discriminator_lr": "discriminator learning rate",
    "adversarial_factor": "adversarial factor",
    "parameter_ratio": "parameter ratio D/G",
    "adversarial_drift": "adversarial drift (%)",
}


def label_of(name: str) -> str:
    """What people call a column."""
    return LABELS.get(name, name)


def winner_style(label: str) -> tuple[str, str]:
    """Colour and marker of a winner by its label."""
    return _WINNER_STYLES.get(label, _BEST_COLOURS_STYLE)


def add_winners(
    figure: go.Figure, labels: Mapping[str, str], points: Mapping[str, tuple[Any, float]]
) -> None:
    """Mark the winners among the trials of a figure, given their places."""
    for trial_id, label in labels.items():
        if trial_id not in points:
            continue
        x, y = points[trial_id]
        colour, symbol = winner_style(label)
        figure.add_scatter(
            x=[x],
            y=[y],
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 17,
                "line": {"color": "#ffffff", "width": 1},
            },
            name=label,
            hovertemplate=f"trial {trial_id}, {label}<extra></extra>",
        )


def is_logarithmic(values: Sequence[float] | np.ndarray[Any, Any], name: str = "") -> bool:
    """Whether a parameter belongs on a logarithmic axis: rates, and what spans a factor of 50."""
    array = np.asarray(values, dtype=np.float64)
    positive = bool(array.size and np.all(array > 0))
    return positive and (name.endswith("_lr") or float(array.max() / array.min()) > 50)


def styled(figure: go.Figure, *, height: int = 420, legend: bool = True) -> go.Figure:
    """Give a figure the common layout; colours of text and grid come with the page's theme."""
    figure.update_layout(
        template=None,
        title=None,
        height=height,
        margin={"l": 60, "r": 20, "t": 40 if legend else 16, "b": 52},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(zeroline=False, automargin=True)
    figure.update_yaxes(zeroline=False, automargin=True)
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        if axis.type == "log" and axis.tickvals is None:
            axis.update(dtick=1, exponentformat="power", minor={"ticks": "inside", "ticklen": 4})
    return figure


def compact(values: object) -> np.ndarray[Any, Any]:
    """Numbers as float32: seven digits are more than a screen shows, at half the size."""
    return np.asarray(values, dtype=np.float32)


def evenly(n: int, n_kept: int) -> list[int]:
    """At most `n_kept` of n indices, evenly spaced, first and last among them."""
    if n <= n_kept:
        return list(range(n))
    return [int(i) for i in np.linspace(0, n - 1, n_kept).round()]


def counted(n_shown: int, n: int) -> str:
    """How many of a group a figure shows."""
    return f"{n}" if n_shown == n else f"{n_shown} of {n}"
