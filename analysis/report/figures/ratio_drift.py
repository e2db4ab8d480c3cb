"""Drift against the parameter ratio, with the ratio at which it crosses zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from analysis.leaderboard.ranking import REPORT_TARGET_RATIO
from analysis.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    TREND_COLOURS,
    TREND_MARKERS,
    add_winners,
    compact,
    styled,
)
from analysis.statistics.balance import Balance, ratio_words
from analysis.statistics.nested.drift_model import Equivalence
from analysis.statistics.nested.measured import Measured
from analysis.statistics.stagnation import TOLERANCE_PERCENT
from analysis.statistics.zero_crossing import Crossing
from analysis.stored_run.columns import TRENDS, UNJUDGED_TRENDS
from analysis.stored_run.run import Run

_Y_LIMIT = 220.0


class RatioDriftInfo(NamedTuple):
    """Complete trials with a measured drift, each list (n_trials,), and the crossing."""

    trial_id: list[str]
    ratio: list[float]
    drift: list[float]
    low: list[float]
    high: list[float]
    trend: list[str]
    crossing: Crossing
    #: the drift at the target ratio
    at_target: Equivalence | None = None


def ratio_drift_info(
    run: Run, balance: Balance, at_target: Equivalence | None = None
) -> RatioDriftInfo:
    """Collect the complete trials of the balance's image size, also those without a judge."""
    trials = run.trials
    for name in ("parameter_ratio", "adversarial_drift"):
        if name not in trials:
            return RatioDriftInfo([], [], [], [], [], [], balance.crossing)
    used = trials[(trials["state"] == "complete") & trials["adversarial_drift"].notna()]
    if balance.image_size is not None:
        used = used[used["image_size"] == balance.image_size]
    used = used[used["parameter_ratio"] > 0]
    drift = used["adversarial_drift"]
    return RatioDriftInfo(
        trial_id=used["trial_id"].tolist(),
        ratio=used["parameter_ratio"].tolist(),
        drift=drift.tolist(),
        low=used.get("adversarial_drift_low", drift).fillna(drift).tolist(),
        high=used.get("adversarial_drift_high", drift).fillna(drift).tolist(),
        trend=used["adversarial_trend"].tolist(),
        crossing=balance.crossing,
        at_target=at_target,
    )


def ratio_drift_figure(info: RatioDriftInfo, labels: Mapping[str, str]) -> go.Figure | None:
    """Draw the trials by trend, the winners, the fitted drift and its zero, the report's 0.8."""
    if not info.trial_id:
        return None
    figure = go.Figure()
    figure.add_hrect(
        y0=-TOLERANCE_PERCENT, y1=TOLERANCE_PERCENT, fillcolor=GREY, opacity=0.14, line_width=0
    )
    fitted = info.crossing.fitted
    if fitted is not None:
        figure.add_scatter(
            x=compact([*fitted.ratio, *fitted.ratio[::-1]]),
            y=compact([*fitted.high, *fitted.low[::-1]]).clip(-_Y_LIMIT, _Y_LIMIT),
            fill="toself",
            mode="none",
            fillcolor="rgba(86,180,233,0.22)",
            name="90 % band",
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=compact(fitted.ratio),
            y=compact(fitted.drift).clip(-_Y_LIMIT, _Y_LIMIT),
            mode="lines",
            line={"color": BLUE, "width": 2},
            name="fitted drift",
            hoverinfo="skip",
        )
    if info.at_target is not None and info.at_target.drift is not None:
        _add_target(figure, info.at_target.target_ratio, info.at_target.drift)
    for trend in TRENDS:
        rows = [i for i, name in enumerate(info.trend) if name == trend]
        if rows:
            _add_trials(figure, info, rows, trend)
    ticks = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64]
    span = np.log10([min(*info.ratio, REPORT_TARGET_RATIO), max(*info.ratio, REPORT_TARGET_RATIO)])
    figure.update_xaxes(
        type="log",
        title_text="parameter ratio D/G",
        tickvals=ticks,
        ticktext=[f"{tick:.3g}" for tick in ticks],
        range=[float(span[0]) - 0.06, float(span[1]) + 0.06],
    )
    figure.update_yaxes(title_text="adversarial drift over the last half (%)")
    spread = max(abs(v) for v in (*info.drift, TOLERANCE_PERCENT * 2))
    figure.update_yaxes(range=[-min(spread * 1.2, _Y_LIMIT), min(spread * 1.2, _Y_LIMIT)])
    places = zip(info.ratio, info.drift, strict=True)
    add_winners(figure, labels, dict(zip(info.trial_id, places, strict=True)))
    _add_verticals(figure, info.crossing)
    return styled(figure, height=460)


def _add_target(figure: go.Figure, ratio: float, drift: Measured) -> None:
    reach = drift.reach()
    figure.add_scatter(
        x=[ratio],
        y=[drift.value],
        error_y={"type": "data", "array": [reach], "thickness": 2.5, "width": 7, "color": GREEN},
        mode="markers",
        marker={"color": GREEN, "symbol": "diamond", "size": 11},
        name=f"mean drift at {ratio_words(ratio)}",
        hovertemplate=f"at a ratio of {ratio_words(ratio)}: {drift.value:+.1f} ± {reach:.1f} %"
        "<extra></extra>",
    )


def _add_trials(figure: go.Figure, info: RatioDriftInfo, rows: list[int], trend: str) -> None:
    figure.add_scatter(
        x=compact([info.ratio[i] for i in rows]),
        y=compact([info.drift[i] for i in rows]),
        # With more trials the bars cover what they belong to.
        error_y={
            "type": "data",
            "symmetric": False,
            "array": compact([info.high[i] - info.drift[i] for i in rows]),
            "arrayminus": compact([info.drift[i] - info.low[i] for i in rows]),
            "thickness": 1,
            "width": 0,
        }
        if len(info.trial_id) <= 150
        else None,
        mode="markers",
        marker={"color": TREND_COLOURS[trend], "symbol": TREND_MARKERS[trend], "size": 8},
        name=f"{trend}, not counted" if trend in UNJUDGED_TRENDS.values() else trend,
        text=[info.trial_id[i] for i in rows],
        hovertemplate="trial %{text}<br>ratio %{x:.3g}<br>drift %{y:+.1f} %<extra></extra>",
    )


def _add_verticals(figure: go.Figure, crossing: Crossing) -> None:
    if crossing.determined and crossing.ratio is not None:
        figure.add_vrect(
            x0=crossing.low, x1=crossing.high, fillcolor=ORANGE, opacity=0.22, line_width=0
        )
        figure.add_vline(x=crossing.ratio, line={"color": ORANGE, "width": 2})
        _add_note(figure, crossing.ratio, ratio_words(crossing.ratio), y=0.98)
    figure.add_vline(x=REPORT_TARGET_RATIO, line={"color": GREY, "width": 1.5, "dash": "dash"})
    _add_note(figure, REPORT_TARGET_RATIO, f"the report's {REPORT_TARGET_RATIO}", y=0.02)


def _add_note(figure: go.Figure, ratio: float, text: str, *, y: float) -> None:
    # On a logarithmic axis an annotation's place is the logarithm, unlike a line's.
    left, right = figure.layout.xaxis.range
    place = math.log10(ratio)
    is_right = place > left + 0.7 * (right - left)
    figure.add_annotation(
        x=place,
        y=y,
        yref="y domain",
        text=text,
        showarrow=False,
        xanchor="right" if is_right else "left",
        xshift=-4 if is_right else 4,
    )
