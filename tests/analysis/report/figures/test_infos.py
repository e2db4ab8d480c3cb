"""What the figures show, computed apart from how they show it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.optuna_view.in_memory_study import searched_parameters, study_of
from analysis.report.figures.contour import contour_figure, contour_infos
from analysis.report.figures.losses import loss_info, loss_infos, loss_overlay
from analysis.report.figures.overlay import MAX_CURVES, TrialCurve, overlay_figure, overlay_of
from analysis.report.figures.parallel_coordinates import parallel_figure, parallel_info
from analysis.report.figures.pareto import pareto_figure, pareto_info
from analysis.report.figures.ratio_drift import ratio_drift_figure, ratio_drift_info
from analysis.report.figures.search_history import history_figure
from analysis.report.figures.timeline import timeline_figure, timeline_info
from analysis.report.figures.validation_curves import validation_curves, validation_overlay
from analysis.statistics.balance import balance_of
from analysis.stored_run.run import Run


def test_the_pareto_front_is_what_nothing_beats(run: Run) -> None:
    info = pareto_info(run)
    assert len(info.trial_id) == run.trials["state"].isin(["complete", "pruned"]).sum()
    assert info.metrics == ("ab_swd", "grey_skill")
    points = list(zip(*info.values, info.feasible, strict=True))
    for (swd, skill, feasible), on_front in zip(points, info.on_front, strict=True):
        beaten = any(
            other_feasible
            and other_swd <= swd
            and other_skill >= skill
            and (other_swd, other_skill) != (swd, skill)
            for other_swd, other_skill, other_feasible in points
        )
        assert on_front == (feasible and not beaten)
    labels = {info.trial_id[0]: "best balance"}
    figure = pareto_figure(info, labels)
    assert figure is not None
    assert [trace.name for trace in figure.data][-2:] == ["front", "best balance"]
    run.config["objective"], run.config["second_objectives"] = "grey_skill", ["delta_e"]
    assert pareto_info(run).metrics == ("grey_skill", "delta_e")


def test_the_best_colours_are_on_the_front_and_every_figure_names_them_so(run: Run) -> None:
    chosen = winners(build_leaderboard(run), run.objective)
    assert chosen.best_colours is not None
    labels = {chosen.best_colours: "best colours"}
    info = pareto_info(run)
    assert info.on_front[info.trial_id.index(chosen.best_colours)]
    infos = loss_infos(run, [chosen.best_colours])
    for figure in (
        pareto_figure(info, labels),
        ratio_drift_figure(ratio_drift_info(run, balance_of(run.trials)), labels),
        history_figure(run, study_of(run), labels),
        timeline_figure(timeline_info(run), labels),
        overlay_figure(loss_overlay(run, infos, labels), y_title=""),
    ):
        assert figure is not None
        assert sum(trace.name == "best colours" for trace in figure.data) == 1
        assert not any("rank 1" in (trace.name or "") for trace in figure.data)


def balance_trials(run: Run) -> list[str]:
    complete = run.trials[run.trials["state"] == "complete"]
    return list(complete["trial_id"])


def test_drift_against_ratio_shows_the_trials_of_the_estimate(run: Run) -> None:
    balance = balance_of(run.trials)
    info = ratio_drift_info(run, balance)
    assert info.trial_id == balance_trials(run)
    low, drift, high = map(np.array, (info.low, info.drift, info.high))
    assert np.all((low <= drift) & (drift <= high))
    figure = ratio_drift_figure(info, {})
    assert figure is not None
    trends = {trace.name: len(trace.x) for trace in figure.data if trace.mode == "markers"}
    counted = {name: n for name, n in trends.items() if "not counted" not in name}
    assert sum(counted.values()) == balance.n_trials
    assert sum(trends.values()) == len(info.trial_id)
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
    info = loss_overlay(run, infos, {winner: "best colours"})
    complete = run.trials[run.trials["state"] == "complete"]
    for trend, count in complete["adversarial_trend"].value_counts().items():
        assert info.n_trials[str(trend)] == count
    assert info.n_trials["unfinished"] == len(run.trials) - len(complete)
    assert info.winners["best colours"].trial_id == winner
    many = loss_overlay(run, infos * 10, {})
    assert all(len(group) <= MAX_CURVES for group in many.curves.values())
    figure = overlay_figure(many, y_title="loss")
    assert figure is not None
    assert any("60 of " in trace.name for trace in figure.data)


def test_one_outlier_does_not_flatten_the_others() -> None:
    level = [TrialCurve(f"{i}", [1.0, 2.0], [1.0 + i / 100, 0.5]) for i in range(30)]
    outlier = TrialCurve("x", [1.0, 2.0], [1.0, 5000.0])
    overlay = overlay_of({"stagnant": level, "rising": [outlier]}, {})
    assert overlay.n_outside == 1
    assert overlay.y_range[1] < 5
    figure = overlay_figure(overlay, y_title="loss")
    assert figure is not None
    assert figure.layout.yaxis.range == overlay.y_range
    assert "1 trial leaves the figure" in figure.layout.annotations[0].text
    # A winner is shown to its end, wherever that is.
    assert overlay_of({"rising": [*level, outlier]}, {"x": "best colours"}).y_range[1] > 5000


def test_validation_curves_are_those_that_were_stored(run: Run) -> None:
    curves = validation_curves(run, run.trials["trial_id"].tolist())
    stored = run.validation("0003")
    assert curves["0003"].epoch == [row["epoch"] for row in stored]
    assert curves["0003"].values == [row["ab_swd"] for row in stored]
    overlay = validation_overlay(run, curves, {"0003": "best colours"})
    counts = run.trials["state"].value_counts().to_dict()
    assert overlay.n_trials == counts
    assert overlay.winners["best colours"].values == curves["0003"].values


def test_the_timeline_lays_trials_beside_each_other(run: Run) -> None:
    info = timeline_info(run)
    assert sorted(info.trial_id) == sorted(run.trials["trial_id"])
    # Four started each time, each ended before the next four.
    assert set(info.lane) == {1, 2, 3, 4}
    ends: dict[int, float] = {}
    for start, minutes, lane in zip(info.start, info.minutes, info.lane, strict=True):
        assert start >= ends.get(lane, 0.0)
        ends[lane] = start + minutes
    seconds = run.trials.set_index("trial_id")["seconds"]
    complete = [i for i, state in enumerate(info.state) if state == "complete"]
    assert [60 * info.minutes[i] for i in complete] == pytest.approx(
        [seconds[info.trial_id[i]] for i in complete]
    )


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
    assert pareto_figure(pareto_info(run), {}) is None
    assert ratio_drift_figure(ratio_drift_info(run, balance_of(run.trials)), {}) is None
    assert timeline_figure(timeline_info(run), {}) is None
    assert parallel_figure(parallel_info(run, [])) is None
    assert overlay_figure(loss_overlay(run, [], {}), y_title="") is None
    assert contour_infos(run, []) == []
