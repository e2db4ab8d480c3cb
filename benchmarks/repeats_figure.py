"""A figure of a study with repeats: each seed's drift and objective over the parameter ratio.

    python -m benchmarks.repeats_figure RUN --out FILE.html

Every dot is a training, every line goes through the means; the table that it prints has a row a
configuration and the F test of the drift (one-way analysis of variance: do configurations differ by
more than seeds do?). A browser makes a picture of the page:
`chromium --headless --screenshot=FILE.png --window-size=900,400 FILE.html`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy.stats import f_oneway

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.ranking import REPORT_TARGET_RATIO
from analysis.report.figures.style import BLUE, GREY, VERMILION
from analysis.stored_run.run import open_run

DRIFT = "adversarial_drift"


def table_of(trials: pd.DataFrame, objective: str) -> pd.DataFrame:
    """A row a configuration: ratio, number of trainings, mean and deviation of both figures."""
    return (
        trials.groupby("parameter_ratio")
        .agg(
            generator=("generator_complexity", "first"),
            trainings=(objective, "size"),
            mean=(objective, "mean"),
            sd=(objective, "std"),
            drift=(DRIFT, "mean"),
            drift_sd=(DRIFT, "std"),
            grey_skill=("grey_skill", "mean"),
            hf_ratio=("ab_hf_ratio", "mean"),
        )
        .reset_index()
    )


def figure_of(trials: pd.DataFrame, table: pd.DataFrame, objective: str) -> go.Figure:
    """Two panels side by side, the ratio on a logarithmic axis."""
    figure = make_subplots(cols=2, horizontal_spacing=0.12)
    panels = ((DRIFT, "drift", "drift of the adversarial loss (%)"), (objective, "mean", objective))
    for column, (name, mean, title) in enumerate(panels, start=1):
        figure.add_scatter(
            x=trials["parameter_ratio"],
            y=trials[name],
            mode="markers",
            marker={"color": BLUE, "size": 9, "opacity": 0.7},
            row=1,
            col=column,
        )
        figure.add_scatter(
            x=table["parameter_ratio"],
            y=table[mean],
            mode="lines",
            line={"color": GREY, "width": 2},
            row=1,
            col=column,
        )
        low, high = trials[name].min(), trials[name].max()
        figure.add_scatter(
            x=[REPORT_TARGET_RATIO] * 2,
            y=[low, high],
            mode="lines",
            line={"color": VERMILION, "dash": "dot"},
            row=1,
            col=column,
        )
        ticks = table["parameter_ratio"].tolist()
        figure.update_xaxes(
            type="log",
            tickvals=ticks,
            ticktext=[f"{tick:.2g}" for tick in ticks],
            title="parameter ratio D/G",
            row=1,
            col=column,
        )
        figure.update_yaxes(title=title, row=1, col=column)
    figure.add_hline(y=0, line={"color": GREY, "width": 1}, row=1, col=1)
    figure.update_layout(
        template="simple_white",
        showlegend=False,
        width=880,
        height=380,
        margin={"l": 70, "r": 20, "t": 20, "b": 60},
    )
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    run = open_run(options.run)
    trials = build_leaderboard(run)
    trials = trials[(trials["state"] == "complete") & trials[DRIFT].notna()]
    table = table_of(trials, run.objective)
    print(table.round(3).to_string(index=False))
    groups = [np.asarray(group) for _, group in trials.groupby("parameter_ratio")[DRIFT]]
    test = f_oneway(*groups)
    print(f"drift between configurations: F = {test.statistic:.2f}, p = {test.pvalue:.2f}")
    figure_of(trials, table, run.objective).write_html(
        options.out, config={"displayModeBar": False}
    )


if __name__ == "__main__":
    main()
