"""Curves of all trials over the epochs in one figure, the winners on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.report.figures.style import (
    GREY,
    STATE_COLOURS,
    TREND_COLOURS,
    compact,
    counted,
    evenly,
    styled,
    winner_style,
)

FloatArray = npt.NDArray[np.float64]

#: curves of one group: more would be a blot
MAX_CURVES = 60
_MAX_POINTS = 80
_DASHES = {"unfinished": "dot", "unclear": "dash", "pruned": "dash", "failed": "dot"}


class TrialCurve(NamedTuple):
    """One trial's curve over the epochs; None where there is no value."""

    trial_id: str
    epoch: list[float]
    values: list[float | None]


class Overlay(NamedTuple):
    """The curves that a figure shows."""

    #: by group, in the order given
    curves: dict[str, list[TrialCurve]]
    #: trials of each group, shown or not
    n_trials: dict[str, int]
    #: by label
    winners: dict[str, TrialCurve]
    #: what the figure shows at first: nearly all values, and the winners to the last
    y_range: tuple[float, float]
    #: trials of which a part lies outside
    n_outside: int


def overlay_of(groups: Mapping[str, list[TrialCurve]], labels: Mapping[str, str]) -> Overlay:
    """Choose what to show of the curves of each group, `labels` naming the winners."""
    known = {
        name: [curve for curve in group if any(value is not None for value in curve.values)]
        for name, group in groups.items()
    }
    known = {name: group for name, group in known.items() if group}
    everything = [curve for group in known.values() for curve in group]
    winners = {labels[c.trial_id]: c for c in everything if c.trial_id in labels}
    values = [_numbers(curve) for curve in everything]
    low, high = _robust_range(values, [_numbers(curve) for curve in winners.values()])
    return Overlay(
        curves={
            name: [_thin(group[i]) for i in evenly(len(group), MAX_CURVES)]
            for name, group in known.items()
        },
        n_trials={name: len(group) for name, group in known.items()},
        winners=winners,
        y_range=(low, high),
        n_outside=sum(bool(v.min() < low or v.max() > high) for v in values),
    )


def overlay_figure(overlay: Overlay, *, y_title: str) -> go.Figure | None:
    """Draw the curves, one trace a group, the winners on top; None where there is no curve."""
    if not overlay.curves:
        return None
    figure = go.Figure()
    for name, group in overlay.curves.items():
        x = [value for curve in group for value in (*curve.epoch, np.nan)]
        y = [np.nan if v is None else v for curve in group for v in (*curve.values, None)]
        colour = TREND_COLOURS.get(name) or STATE_COLOURS.get(name, GREY)
        figure.add_scatter(
            x=compact(x),
            y=compact(y),
            mode="lines",
            line={"color": colour, "width": 1.2, "dash": _DASHES.get(name, "solid")},
            opacity=0.7 if len(group) <= 20 else 0.45,
            name=f"{name} ({counted(len(group), overlay.n_trials[name])})",
            hoverinfo="skip",
        )
    for label, curve in overlay.winners.items():
        figure.add_scatter(
            x=compact(curve.epoch),
            y=compact([np.nan if v is None else v for v in curve.values]),
            mode="lines",
            line={"color": winner_style(label)[0], "width": 3},
            name=label,
            hovertemplate=f"epoch %{{x:.1f}}: %{{y:.3g}}<extra>{label}</extra>",
        )
    if overlay.n_outside:
        leave = "trial leaves" if overlay.n_outside == 1 else "trials leave"
        figure.add_annotation(
            text=f"{overlay.n_outside} {leave} the figure: double-click shows all",
            x=1,
            y=1,
            xref="x domain",
            yref="y domain",
            xanchor="right",
            yanchor="top",
            showarrow=False,
        )
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text=y_title, range=list(overlay.y_range))
    return styled(figure, height=440)


def _thin(curve: TrialCurve) -> TrialCurve:
    kept = evenly(len(curve.epoch), _MAX_POINTS)
    return curve._replace(
        epoch=[curve.epoch[i] for i in kept], values=[curve.values[i] for i in kept]
    )


def _numbers(curve: TrialCurve) -> FloatArray:
    return np.array([value for value in curve.values if value is not None], dtype=np.float64)


def _robust_range(curves: list[FloatArray], winners: list[FloatArray]) -> tuple[float, float]:
    """The outer fences of all values, but no further than they reach, and all of the winners.

    Tukey (1977), Exploratory Data Analysis, section 2D: three quartile ranges beyond the quartiles.
    """
    if not curves:
        return 0.0, 1.0
    values = np.concatenate(curves)
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 3 * (third - first)
    low = float(max(values.min(), first - reach))
    high = float(min(values.max(), third + reach))
    for curve in winners:
        low, high = min(low, float(curve.min())), max(high, float(curve.max()))
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin
