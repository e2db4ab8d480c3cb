"""When each trial ran: one bar a trial, beside each other what ran at the same time."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from analysis.report.figures.style import STATE_COLOURS, add_winners, compact, styled
from analysis.stored_run.columns import STATES
from analysis.stored_run.run import Run


class TimelineInfo(NamedTuple):
    """Trials whose start is known, each list (n_trials,), in the order of their starts."""

    trial_id: list[str]
    state: list[str]
    #: minutes since the first trial started; a running trial lasts until now, as far as is stored
    start: list[float]
    minutes: list[float]
    #: what ran at the same time has different lanes, from 1
    lane: list[int]


def timeline_info(run: Run) -> TimelineInfo:
    """Lay the trials on as few lanes as there were trials at the same time."""
    trials = run.trials
    if "started_at" not in trials:
        return TimelineInfo([], [], [], [], [])
    times = pd.DataFrame(
        {
            name: pd.to_datetime(trials[name], utc=True, errors="coerce", format="ISO8601")
            for name in ("started_at", "ended_at")
            if name in trials
        }
    ).reindex(columns=["started_at", "ended_at"])
    now = times.max().max()
    table = trials[["trial_id", "state"]].assign(
        start=times["started_at"], end=times["ended_at"].fillna(now)
    )
    table = table[table["start"].notna()].sort_values("start", kind="stable")
    first = table["start"].min()
    start = [(value - first).total_seconds() / 60 for value in table["start"]]
    end = [(value - first).total_seconds() / 60 for value in table["end"]]
    return TimelineInfo(
        trial_id=table["trial_id"].tolist(),
        state=table["state"].tolist(),
        start=start,
        minutes=[max(0.0, e - s) for s, e in zip(start, end, strict=True)],
        lane=_lanes(start, end),
    )


def timeline_figure(info: TimelineInfo, labels: Mapping[str, str]) -> go.Figure | None:
    """Draw the bars by state and mark the winners; None where no start is known."""
    if not info.trial_id:
        return None
    whole = max(s + m for s, m in zip(info.start, info.minutes, strict=True))
    unit, per_unit = ("hours", 60.0) if whole >= 180 else ("minutes", 1.0)
    figure = go.Figure()
    for state in STATES:
        rows = [i for i, name in enumerate(info.state) if name == state]
        if rows:
            figure.add_bar(
                orientation="h",
                base=compact([info.start[i] / per_unit for i in rows]),
                x=compact([info.minutes[i] / per_unit for i in rows]),
                y=[info.lane[i] for i in rows],
                text=[info.trial_id[i] for i in rows],
                textposition="none",
                marker={"color": STATE_COLOURS[state], "line": {"width": 0}},
                width=0.8,
                name=state,
                hovertemplate=f"trial %{{text}}, {state}<br>%{{x:.3g}} {unit}<extra></extra>",
            )
    middles = {
        trial_id: ((start + minutes / 2) / per_unit, lane)
        for trial_id, start, minutes, lane in zip(
            info.trial_id, info.start, info.minutes, info.lane, strict=True
        )
    }
    add_winners(figure, labels, middles)
    n_lanes = max(info.lane)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(title_text=f"{unit} since the first trial started")
    figure.update_yaxes(
        title_text="at the same time", range=[n_lanes + 0.6, 0.4], dtick=max(1, n_lanes // 8)
    )
    return styled(figure, height=min(560, 150 + 30 * n_lanes))


def _lanes(start: list[float], end: list[float]) -> list[int]:
    """A lane for each trial, in the order of their starts; the one that is free longest."""
    busy: list[tuple[float, int]] = []
    lanes = []
    for begins, ends in zip(start, end, strict=True):
        is_free = busy and busy[0][0] <= begins
        lane = heapq.heappop(busy)[1] if is_free else len(busy) + 1
        heapq.heappush(busy, (ends, lane))
        lanes.append(lane)
    return lanes
