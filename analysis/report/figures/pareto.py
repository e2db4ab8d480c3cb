"""Colour statistics against paired accuracy: the trials that no other trial beats in both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from analysis.report.figures.style import BLUE, GREY, ORANGE, compact, styled
from analysis.statistics.pareto_front import pareto_front
from analysis.stored_run.columns import ENDED
from analysis.stored_run.run import Run

_GROUPS = {
    "fails the guards": (GREY, "x-thin-open"),
    "pruned": (GREY, "circle-open"),
    "complete": (BLUE, "circle"),
    "front": (ORANGE, "diamond"),
}


class ParetoInfo(NamedTuple):
    """Trials that ended with both metrics, a pruned one at its best epoch, each (n_trials,)."""

    trial_id: list[str]
    #: lower is better
    ab_swd: list[float]
    #: higher is better
    grey_skill: list[float]
    feasible: list[bool]
    pruned: list[bool]
    #: no feasible trial is at least as good in both and better in one
    on_front: list[bool]


def pareto_info(run: Run) -> ParetoInfo:
    """Find the Pareto front of the feasible trials."""
    trials = run.trials
    if "ab_swd" not in trials or "grey_skill" not in trials:
        return ParetoInfo([], [], [], [], [], [])
    known = trials[
        trials["state"].isin(ENDED) & trials["ab_swd"].notna() & trials["grey_skill"].notna()
    ]
    swd = known["ab_swd"].to_numpy(dtype=np.float64)
    skill = known["grey_skill"].to_numpy(dtype=np.float64)
    feasible = known["feasible"].to_numpy(dtype=bool)
    on_front = pareto_front(known, ("ab_swd", "grey_skill"))
    return ParetoInfo(
        trial_id=known["trial_id"].tolist(),
        ab_swd=swd.tolist(),
        grey_skill=skill.tolist(),
        feasible=feasible.tolist(),
        pruned=(known["state"] == "pruned").tolist(),
        on_front=on_front.tolist(),
    )


def pareto_figure(info: ParetoInfo, *, winner: str | None) -> go.Figure | None:
    """Draw all trials, the front as a step line and the winner as a star."""
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
        rows.sort(key=lambda i: info.ab_swd[i])
        if rows:
            _add(figure, info, rows, name=name, colour=colour, symbol=symbol)
    if winner in info.trial_id:
        _add(
            figure,
            info,
            [info.trial_id.index(winner)],
            name="rank 1",
            colour=ORANGE,
            symbol="star",
            size=18,
        )
    figure.update_xaxes(title_text="ab_swd (lower is better)")
    figure.update_yaxes(title_text="grey_skill (higher is better)")
    return styled(figure)


def _add(
    figure: go.Figure,
    info: ParetoInfo,
    rows: list[int],
    *,
    name: str,
    colour: str,
    symbol: str,
    size: int = 8,
) -> None:
    front = name == "front"
    figure.add_scatter(
        x=compact([info.ab_swd[i] for i in rows]),
        y=compact([info.grey_skill[i] for i in rows]),
        mode="lines+markers" if front else "markers",
        line={"color": colour, "width": 1.5, "shape": "hv"},
        marker={"color": colour, "symbol": symbol, "size": size},
        name=name,
        text=[info.trial_id[i] for i in rows],
        hovertemplate="trial %{text}<br>ab_swd %{x:.4g}<br>grey_skill %{y:+.3f}<extra></extra>",
    )
