"""What the figures show, computed apart from how they show it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from analysis.optuna_view.in_memory_study import searched_parameters
from analysis.report.figures.contour import contour_figure, contour_infos
from analysis.report.figures.losses import (
    MAX_CURVES,
    loss_info,
    loss_infos,
    overlay_figure,
    overlay_info,
)
from analysis.report.figures.parallel_coordinates import parallel_figure, parallel_info
from analysis.report.figures.pareto import pareto_figure, pareto_info
from analysis.report.figures.ratio_drift import ratio_drift_figure, ratio_drift_info
from analysis.statistics.balance import balance_of
from analysis.stored_run.run import Run


def test_the_pareto_front_is_what_nothing_beats(run: Run) -> None:
    info = pareto_info(run)
    assert len(info.trial_id) == run.trials["state"].isin(["complete", "pruned"]).sum()
    points = list(zip(info.ab_swd, info.grey_skill, info.feasible, strict=True))
    for (swd, skill, feasible), on_front in zip(points, info.on_front, strict=True):
        beaten = any(
            other_feasible
            and other_swd <= swd
            and other_skill >= skill
            and (other_swd, other_skill) != (swd, skill)
            for other_swd, other_skill, other_feasible in points
        )
        assert on_front == (feasible and not beaten)
    figure = pareto_figure(info, winner=info.trial_id[0])
    assert figure is not None
    assert [trace.name for trace in figure.data][-2:] == ["front", "rank 1"]


def test_drift_against_ratio_shows_the_trials_of_the_estimate(run: Run) -> None:
    balance = balance_of(run.trials)
    info = ratio_drift_info(run, balance)
    assert len(info.trial_id) == balance.n_trials
    low, drift, high = map(np.array, (info.low, info.drift, info.high))
    assert np.all((low <= drift) & (drift <= high))
    figure = ratio_drift_figure(info)
    assert figure is not None
    trends = {trace.name: len(trace.x) for trace in figure.data if trace.mode == "markers"}
    assert sum(trends.values()) == balance.n_trials
    verticals = [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]
    assert verticals == pytest.approx([balance.crossing.ratio, 0.8])


def test_loss_curves_are_thinned_from_first_to_last(run: Run) -> None:
    trial_id = run.trials.loc[run.trials["state"] == "complete", "trial_id"].iloc[0]
    rows = run.curves(trial_id)
    drift = run.trials.set_index("trial_id").at[trial_id, "adversarial_drift"]
    whole = loss_info(run, trial_id, drift=drift)
    thin = loss_info(run, trial_id, drift=None, max_points=20)
    assert whole is not None
    assert thin is not None
    assert len(whole.epoch) == len(rows)
    assert len(thin.epoch) == 20
    assert (thin.epoch[0], thin.epoch[-1]) == pytest.approx(
        (rows[0]["epoch"], rows[-1]["epoch"]), abs=1e-3
    )
    assert whole.raw["adversarial"] == pytest.approx([r["adversarial"] for r in rows], rel=1e-3)
    assert whole.average["reconstruction"] == pytest.approx(
        [r["reconstruction_ema"] for r in rows], rel=1e-3
    )
    assert whole.drift_line is not None
    (start, end), (first, last) = whole.drift_line
    assert thin.drift_line is None
    assert 100 * (last - first) / ((last + first) / 2) == pytest.approx(drift, rel=0.01)
    assert end == pytest.approx(rows[-1]["epoch"], abs=1e-3)
    assert start == pytest.approx((rows[0]["epoch"] + end) / 2, abs=1e-3)


def test_a_trial_without_a_curve_has_no_info(run: Run) -> None:
    assert loss_info(run, "9999", drift=1.0) is None


def test_the_overlay_groups_by_trend(run: Run) -> None:
    infos = loss_infos(run, run.trials["trial_id"].tolist())
    winner = run.trials.loc[run.trials["state"] == "complete", "trial_id"].iloc[0]
    info = overlay_info(run, infos, winner=winner)
    complete = run.trials[run.trials["state"] == "complete"]
    for trend, count in complete["adversarial_trend"].value_counts().items():
        assert info.n_trials[str(trend)] == count
    assert info.n_trials["unfinished"] == len(run.trials) - len(complete)
    assert info.winner is not None
    many = overlay_info(run, infos * 10, winner=None)
    assert all(len(group) <= MAX_CURVES for group in many.curves.values())
    figure = overlay_figure(many)
    assert figure is not None
    assert any("60 of " in trace.name for trace in figure.data)


def test_parallel_lines_pass_through_the_values(run: Run) -> None:
    parameters = searched_parameters(run)
    info = parallel_info(run, parameters)
    ended = run.trials[run.trials["state"].isin(["complete", "pruned"])]
    assert [axis.label for axis in info.axes][-1] == "ab_swd"
    assert info.positions.shape == (len(ended), len(parameters) + 3)
    # The best trial comes last, at the bottom of the objective's axis, in the best group.
    assert info.positions[-1, -1] == 0.0
    assert info.group[-1] == 0
    assert info.positions[0, -1] == 1.0
    rates = np.log10(ended["generator_lr"])
    expected = np.sort((rates - rates.min()) / np.ptp(rates))
    column = parameters.index("generator_lr")
    assert np.sort(info.positions[:, column]) == pytest.approx(expected)
    assert parallel_figure(info) is not None


def test_parallel_axes_hold_choices_too(run: Run) -> None:
    run.trials["optimizer"] = ["adam", "sgd"] * (len(run.trials) // 2)
    info = parallel_info(run, ["optimizer"])
    assert info.axes[0].tick_labels == ["adam", "sgd"]
    assert set(info.positions[:, 0]) == {0.0, 1.0}


def test_contours_average_the_trials_nearby(run: Run) -> None:
    rng = np.random.default_rng(0)
    n = len(run.trials)
    run.trials["generator_lr"] = 10 ** rng.uniform(-6, -4, n)
    run.trials["ab_swd"] = np.where(run.trials["generator_lr"] > 1e-5, 2.0, 1.0)
    infos = contour_infos(run, searched_parameters(run))
    assert len(infos) == len(list(itertools.combinations(searched_parameters(run), 2)))
    info = next(i for i in infos if i.x_name == "generator_lr" or i.y_name == "generator_lr")
    smoothed = info.smoothed if info.x_name == "generator_lr" else info.smoothed.T
    grid = info.grid_x if info.x_name == "generator_lr" else info.grid_y
    assert np.nanmean(smoothed[:, grid < 4e-6]) == pytest.approx(1.0, abs=0.1)
    assert np.nanmean(smoothed[:, grid > 3e-5]) == pytest.approx(2.0, abs=0.1)
    assert len(contour_figure(info, objective="ab_swd").to_json()) < 60_000


def test_nothing_to_show_is_none(run: Run) -> None:
    run = replace(run, trials=run.trials.head(0))
    assert pareto_figure(pareto_info(run), winner=None) is None
    assert ratio_drift_figure(ratio_drift_info(run, balance_of(run.trials))) is None
    assert parallel_figure(parallel_info(run, [])) is None
    assert overlay_figure(overlay_info(run, [], winner=None)) is None
    assert contour_infos(run, []) == []
