"""A run in a notebook: what it shows is what the command line and the report show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

from analysis import RunResults, open_run
from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.report.drawing import FIGURES
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    return open_run(fabricate_run(tmp_path_factory.mktemp("notebook") / "mine", Plan(n_trials=40)))


def test_tables_are_those_of_the_run(run: RunResults) -> None:
    board = run.leaderboard(sort="ab_swd", target_ratio=0.7)
    pd.testing.assert_frame_equal(
        board, build_leaderboard(run.stored, sort="ab_swd", target_ratio=0.7)
    )
    chosen = run.winners()
    assert chosen == winners(run.leaderboard(), "ab_swd")
    assert (run.best, run.balanced) == (chosen.best_colours, chosen.best_balance)
    assert run.balanced == run.leaderboard()["trial_id"][0]
    curves = run.curves(str(chosen.best_colours))
    assert len(curves) == 120
    assert curves["reconstruction_ema"].dtype == np.float64
    assert curves["step"].is_monotonic_increasing
    last = run.validation(str(chosen.best_colours)).iloc[-1]
    assert last["epoch"] == run.trials.set_index("trial_id").at[chosen.best_colours, "epochs"]
    assert repr(run).startswith("<run 'mine', finished: 40 trials in ")


def test_the_study_has_the_objective_of_each_ended_trial(run: RunResults) -> None:
    values = [trial.value for trial in run.study().trials if trial.value is not None]
    ended = run.trials[run.trials["state"].isin(["complete", "pruned"])]
    assert values == ended["ab_swd"].dropna().tolist()


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_of_the_report_can_be_drawn(run: RunResults, name: str) -> None:
    assert isinstance(run.figure(name), go.Figure)
    assert run.figure(name).data


def test_contours_are_named_after_their_parameters(run: RunResults) -> None:
    contours = run.contours()
    assert contours
    assert all(" × " in name for name in contours)


def test_pictures_are_images(run: RunResults) -> None:
    best = str(run.winners().best_colours)
    samples, originals = run.samples(best), run.originals(best)
    assert isinstance(samples, Image.Image)
    assert samples.mode == originals.mode == "RGB"
    assert samples.size[0] > originals.size[0]


def test_what_is_not_there_is_told_in_one_line(run: RunResults, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"one of the 40 in .* but got 'best'"):
        run.curves("best")
    with pytest.raises(RunFolderError, match=r"ratio-drift, predictors, .* but got 'ratio'"):
        run.figure("ratio")
    with pytest.raises(RunFolderError, match=r"must be an existing folder"):
        open_run(tmp_path / "absent")
    empty = open_run(fabricate_run(tmp_path / "empty", Plan(n_trials=0, running=0)))
    with pytest.raises(RunFolderError, match=r"needs more trials than .* has"):
        empty.figure("pareto")
    assert empty.winners().best_colours is None
    damaged = fabricate_run(tmp_path / "damaged", Plan(n_trials=2, running=0, failed=0, pruned=0))
    (damaged / "trials/0000/samples.png").write_bytes(b"\x89PNG no more")
    (damaged / "trials/0001/samples.png").unlink()
    with pytest.raises(RunFolderError, match="trial 0000 is damaged"):
        open_run(damaged).samples("0000")
    with pytest.raises(RunFolderError, match="trial 0001 has none yet"):
        open_run(damaged).samples("0001")
