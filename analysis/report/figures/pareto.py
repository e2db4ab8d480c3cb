"""The objective against a second metric: the trials that no other trial beats in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from analysis.report.figures.style import BLUE, GREY, SKY, add_winners, compact, styled
from analysis.statistics.pareto_front import pareto_front
from analysis.stored_run.columns import ENDED
from analysis.stored_run.run import Run
from models.metrics.names import METRIC_GOALS

_GROUPS = {
    "fails the guards": (GREY, "x-thin-open"),
    "pruned": (GREY, "circle-open"),
    "complete": (BLUE, "circle"),
    "front": (SKY, "diamond"),
}
_GOAL_WORDS = {
    "minimize": "lower is better",
    "maximize": "higher is better",
    "zero": "nearer 0 is better",
    "one": "nearer 1 is better",
}


class ParetoInfo(NamedTuple):
    """Trials that ended with both metrics, a pruned one at its best epoch, each (n_trials,)."""

    #: the search's objective, and its second one or else `grey_skill`
    metrics: tuple[str, str]
    trial_id: list[str]
    #: by metric
    values: tuple[list[float], list[float]]
    feasible: list[bool]
    pruned: list[bool]
    #: no feasible trial is at least as good in both and better in one
    on_front: list[bool]


def pareto_info(run: Run) -> ParetoInfo:
    """Find the Pareto front of the feasible trials."""
    trials = run.trials
    paired = "grey_skill" if run.objective != "grey_skill" else "ab_swd"
    metrics = run.objective, (*run.objectives, paired)[1]
    if any(name not in trials for name in metrics):
        return ParetoInfo(metrics, [], ([], []), [], [], [])
    known = trials[trials["state"].isin(ENDED) & trials[list(metrics)].notna().all(axis=1)]
    first, second = (known[name].to_numpy(dtype=np.float64).tolist() for name in metrics)
    feasible = known["feasible"].to_numpy(dtype=bool)
    on_front = pareto_front(known, metrics)
    return ParetoInfo(
        metrics=metrics,
        trial_id=known["trial_id"].tolist(),
        values=(first, second),
        feasible=feasible.tolist(),
        pruned=(known["state"] == "pruned").tolist(),
        on_front=on_front.tolist(),
    )


def pareto_figure(info: ParetoInfo, labels: Mapping[str, str]) -> go.Figure | None:
    """Draw all trials, the front as a line, and the winners by their labels."""
    if not info.trial_id:
        return None
    figure = go.Figure()
    group_of = [
        "fails the guards"
        if not feasible
        else "front"
        if front
        else "pruned"
        if pruned
        else "complete"
        for feasible, front, pruned in zip(info.feasible, info.on_front, info.pruned, strict=True)
    ]
    for name, (colour, symbol) in _GROUPS.items():
        rows = [i for i, group in enumerate(group_of) if group == name]
        rows.sort(key=lambda i: info.values[0][i])
        if rows:
            _add(figure, info, rows, name=name, colour=colour, symbol=symbol)
    places = zip(*info.values, strict=True)
    add_winners(figure, labels, dict(zip(info.trial_id, places, strict=True)))
    first, second = (f"{name} ({_GOAL_WORDS[METRIC_GOALS[name]]})" for name in info.metrics)
    figure.update_xaxes(title_text=first)
    figure.update_yaxes(title_text=second)
    return styled(figure)


def _add(
    figure: go.Figure,
    info: ParetoInfo,
    rows: list[int],
    *,
    name: str,
    colour: str,
    symbol: str,
) -> None:
    front = name == "front"
    x, y = info.values
    # The steps of the border between what is and what is not dominated.
    step = {"minimize": "hv", "maximize": "vh"}.get(METRIC_GOALS[info.metrics[0]])
    figure.add_scatter(
        x=compact([x[i] for i in rows]),
        y=compact([y[i] for i in rows]),
        mode="lines+markers" if front and step else "markers",
        line={"color": colour, "width": 1.5, "shape": step},
        marker={"color": colour, "symbol": symbol, "size": 8},
        name=name,
        text=[info.trial_id[i] for i in rows],
        hovertemplate=f"trial %{{text}}<br>{info.metrics[0]} %{{x:.4g}}<br>"
        f"{info.metrics[1]} %{{y:.4g}}<extra></extra>",
    )
