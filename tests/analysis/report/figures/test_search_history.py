"""Optuna's figures show the trials of the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optuna.trial import TrialState

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.optuna_view.in_memory_study import searched_parameters, study_of
from analysis.report.figures.search_history import (
    history_figure,
    importance_figure,
    importance_of,
    slice_figure,
)
from analysis.stored_run.run import Run


def test_the_study_is_the_trials_table(run: Run) -> None:
    study = study_of(run)
    complete = run.trials[run.trials["state"] == "complete"]
    values = {t.number: t.value for t in study.trials if t.state is TrialState.COMPLETE}
    assert values == dict(zip(complete.index, complete["ab_swd"], strict=True))
    assert len(study.trials) == len(run.trials)
    ended = study_of(run, ("complete", "pruned"))
    shown = [t.number for t in ended.trials if t.state is TrialState.COMPLETE]
    assert shown == run.trials.index[run.trials["state"].isin(["complete", "pruned"])].tolist()
    for name in searched_parameters(run):
        assert [t.params[name] for t in study.trials] == run.trials[name].tolist()


def test_a_maximised_objective_is_maximised(run: Run) -> None:
    run.config["objective"] = "grey_skill"
    complete = run.trials[run.trials["state"] == "complete"]
    feasible = complete[complete["feasible"]]
    assert study_of(run).best_value == feasible["grey_skill"].max()


def test_the_history_shows_every_complete_trial(run: Run) -> None:
    figure = history_figure(run, study_of(run), {})
    assert figure is not None
    complete = run.trials[run.trials["state"] == "complete"]
    pruned = run.trials[run.trials["state"] == "pruned"]
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert sorted(y for trace in points[:-1] for y in trace.y) == sorted(complete["ab_swd"])
    assert list(points[-1].y) == pruned["ab_swd"].tolist()
    best = next(trace for trace in figure.data if trace.name == "best colours so far")
    chosen = winners(build_leaderboard(run), run.objective).best_colours
    assert best.y[-1] == run.trials.set_index("trial_id").at[chosen, "ab_swd"]
    ended = run.trials.index[run.trials["state"].isin(["complete", "pruned"])]
    assert list(best.x) == list(range(ended[0], len(run.trials)))
    assert best.y[0] == run.trials.at[ended[0], "ab_swd"]


def test_the_slices_show_every_parameter(run: Run) -> None:
    parameters = searched_parameters(run)
    figure = slice_figure(study_of(run), objective="ab_swd", parameters=parameters)
    assert figure is not None
    assert sum(trace.name == "Feasible Trial" for trace in figure.data) == len(parameters)


def test_importance_finds_the_parameters_that_were_planted(run: Run) -> None:
    rng = np.random.default_rng(0)
    n = len(run.trials)
    run.trials["state"] = "complete"
    run.trials["generator_lr"] = 10 ** rng.uniform(-6, -4, n)
    run.trials["ab_swd"] = 0.05 + 0.03 * np.abs(np.log10(run.trials["generator_lr"]) + 5)
    run.trials["adversarial_factor"] = rng.uniform(0, 0.9, n)
    run.trials["adversarial_drift"] = 50 * (run.trials["adversarial_factor"] - 0.4)
    info = importance_of(run, study_of(run))
    assert next(iter(info.objective)) == "generator_lr"
    assert next(iter(info.drift)) == "adversarial_factor"
    assert importance_figure(info, objective="ab_swd") is not None


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_trials_give_no_figure_or_a_small_one(run: Run, n: int) -> None:
    run = replace(run, trials=run.trials.head(n))
    study = study_of(run)
    info = importance_of(run, study)
    assert info == ({}, {})
    assert importance_figure(info, objective="ab_swd") is None
    parameters = searched_parameters(run)
    if n == 0:
        assert history_figure(run, study, {}) is None
        assert slice_figure(study, objective="ab_swd", parameters=parameters) is None
