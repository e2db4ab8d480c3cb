"""Optuna's own figures of the search: history, importance and slices, in the report's style."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import optuna
import plotly.graph_objects as go
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import plot_optimization_history, plot_slice

from analysis.leaderboard.winners import best_colours_so_far
from analysis.optuna_view.in_memory_study import study_in_memory
from analysis.report.figures.style import (
    BLUE,
    GREY,
    SKY,
    VERMILION,
    add_winners,
    compact,
    label_of,
    styled,
)
from analysis.stored_run.columns import badness
from analysis.stored_run.run import Run

FloatArray = npt.NDArray[np.float64]

#: PED-ANOVA compares the best quarter with all trials, so it needs a few of the best
MIN_TRIALS_FOR_IMPORTANCE = 32
_BEST_SHARE = 0.25
#: readable on a light and a dark page
_EARLY_TO_LATE = [[0.0, SKY], [0.5, GREY], [1.0, VERMILION]]
SLICE_WIDTH_PIXELS = 230


class ImportanceInfo(NamedTuple):
    """Importance of each parameter in [0, 1], most important first; empty where undetermined."""

    objective: dict[str, float]
    drift: dict[str, float]


def history_figure(run: Run, study: optuna.Study, labels: Mapping[str, str]) -> go.Figure | None:
    """Objective of each trial that ended, the best colours so far, and the winners by their labels.

    None without a complete trial.
    """
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    figure = plot_optimization_history(study, target_name=run.objective)
    complete, best, infeasible = figure.data
    complete.update(name="complete", marker={"color": BLUE, "size": 7, "opacity": 0.7})
    values = run.trials[run.objective].tolist()
    places = dict(zip(run.trials["trial_id"], enumerate(values), strict=True))
    so_far = best_colours_so_far(run.trials, run.objective)
    best.update(
        # Optuna's own line knows neither what nearing a guard costs nor repeats.
        x=[number for number, trial_id in enumerate(so_far) if trial_id],
        y=[places[trial_id][1] for trial_id in so_far if trial_id],
        name="best colours so far",
        line={"color": SKY, "width": 3, "shape": "hv"},
    )
    infeasible.update(
        name="fails the guards",
        showlegend=bool(len(infeasible.x or ())),
        marker={"color": GREY, "size": 7, "symbol": "x-thin-open"},
    )
    pruned = run.trials.index[(run.trials["state"] == "pruned") & run.trials[run.objective].notna()]
    if len(pruned):
        figure.add_scatter(
            x=pruned.tolist(),
            y=run.trials.loc[pruned, run.objective].tolist(),
            mode="markers",
            name="pruned",
            marker={"color": GREY, "size": 6, "symbol": "circle-open"},
        )
    add_winners(figure, labels, places)
    figure.update_xaxes(title_text="trial")
    return styled(figure)


def slice_figure(study: optuna.Study, *, objective: str, parameters: list[str]) -> go.Figure | None:
    """Objective against each parameter, coloured by the trial's number."""
    if not parameters or not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    figure = plot_slice(study, params=parameters, target_name=objective)
    for trace in figure.data:
        trace.update(x=_light(trace.x), y=_light(trace.y))
        if trace.name == "Feasible Trial":
            trace.marker.update(colorscale=_EARLY_TO_LATE, size=6, line={"width": 0})
            trace.marker.colorbar.update(title="trial", thickness=12, xpad=8, x=1.0)
        else:
            trace.update(name="fails the guards", marker={"color": GREY, "symbol": "x-thin-open"})
    for axis in figure.select_xaxes():
        axis.title.text = label_of(axis.title.text)
    figure.update_layout(width=None)
    return styled(figure, height=340, legend=False)


def importance_of(run: Run, study: optuna.Study) -> ImportanceInfo:
    """Importance for a good objective and for a small drift.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023, IJCAI, arXiv 2304.10255), as Optuna computes it.
    """
    trials = study.get_trials(deepcopy=False)
    costs = {
        "objective": badness(run.objective, run.trials.get(run.objective, [])),
        "drift": np.abs(run.trials.get("adversarial_drift", []), dtype=np.float64),
    }
    return ImportanceInfo(**{name: _importance(trials, cost) for name, cost in costs.items()})


def importance_figure(info: ImportanceInfo, *, objective: str) -> go.Figure | None:
    """Bars for both importances, or None where neither is determined."""
    names = list(info.objective or info.drift)
    if not names:
        return None
    figure = go.Figure()
    for label, values, colour in (
        (objective, info.objective, BLUE),
        ("size of the drift", info.drift, SKY),
    ):
        if values:
            figure.add_bar(
                y=[label_of(name) for name in names],
                x=[values.get(name, 0.0) for name in names],
                orientation="h",
                name=f"for {label}",
                marker={"color": colour},
                hovertemplate="%{y}: %{x:.2f}<extra></extra>",
            )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text="importance", range=[0, 1])
    return styled(figure, height=110 + 52 * len(names))


def _importance(trials: list[FrozenTrial], costs: FloatArray) -> dict[str, float]:
    """Importance for a low cost; `costs` (n_trials,) may hold NaN."""
    known = [
        (trial, cost)
        for trial, cost in zip(trials, costs.tolist(), strict=False)
        if trial.state is TrialState.COMPLETE and math.isfinite(cost)
    ]
    if len(known) < MIN_TRIALS_FOR_IMPORTANCE or not known[0][0].params:
        return {}
    if len({cost for _, cost in known}) == 1:
        return {}
    study = study_in_memory(direction="minimize")
    study.add_trials([trial for trial, _ in known])
    with warnings.catch_warnings():
        # Experimental, and a reminder that low targets count as good: they do.
        warnings.simplefilter("ignore")
        return get_param_importances(
            study,
            evaluator=PedAnovaImportanceEvaluator(target_quantile=_BEST_SHARE),
            target=lambda trial: known[trial.number][1],
        )


def _light(values: object) -> object:
    array = np.asarray(values)
    return compact(array) if array.dtype.kind in "fi" else values
