"""The figures of the report, each drawn when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import optuna
import pandas as pd
import plotly.graph_objects as go

from analysis.leaderboard.ranking import REPORT_TARGET_RATIO
from analysis.leaderboard.winners import Winners
from analysis.optuna_view.in_memory_study import searched_parameters, study_of
from analysis.report.figures.contour import contour_figure, contour_infos
from analysis.report.figures.losses import LossInfo, loss_infos, loss_overlay
from analysis.report.figures.overlay import TrialCurve, overlay_figure
from analysis.report.figures.parallel_coordinates import parallel_figure, parallel_info
from analysis.report.figures.pareto import pareto_figure, pareto_info
from analysis.report.figures.predictors import predictors_figure, predictors_info
from analysis.report.figures.ratio_drift import ratio_drift_figure, ratio_drift_info
from analysis.report.figures.search_history import (
    history_figure,
    importance_figure,
    importance_of,
    slice_figure,
)
from analysis.report.figures.style import label_of
from analysis.report.figures.timeline import timeline_figure, timeline_info
from analysis.report.figures.validation_curves import validation_curves, validation_overlay
from analysis.statistics.balance import Balance, balance_of
from analysis.statistics.nested.answers import BalanceAnswers, balance_answers
from analysis.statistics.nested.early_signals import early_signals
from analysis.stored_run.columns import ENDED
from analysis.stored_run.run import Run

#: what `ReportFigures.draw` takes, in the order of the report
FIGURES = (
    "ratio-drift",
    "predictors",
    "overlay",
    "validation",
    "timeline",
    "history",
    "importance",
    "parallel",
    "slice",
    "pareto",
)


class ReportFigures:
    """Draws the figures of a run; what several of them need is computed once."""

    def __init__(
        self,
        run: Run,
        board: pd.DataFrame,
        chosen: Winners,
        *,
        target_ratio: float = REPORT_TARGET_RATIO,
    ) -> None:
        """`board` is the run's leaderboard, and `chosen` names its winners."""
        self.run = run
        self._target_ratio = target_ratio
        self._labels = chosen.labels
        self._ranked: list[str] = board["trial_id"].tolist()

    @cached_property
    def losses(self) -> list[LossInfo]:
        """The losses of the trials, in the order of the leaderboard."""
        return loss_infos(self.run, self._ranked)

    @cached_property
    def validations(self) -> dict[str, TrialCurve]:
        """The objective after each epoch, by trial."""
        return validation_curves(self.run, self._ranked)

    @cached_property
    def balance(self) -> Balance:
        """At which parameter ratio the run's pairs are balanced."""
        return balance_of(self.run.trials)

    @cached_property
    def answers(self) -> BalanceAnswers:
        """What drift and colours of the run's trials depend on."""
        used: list[str] = self.balance.trials["trial_id"].tolist()
        return balance_answers(
            self.balance,
            objective=self.run.objective,
            target_ratio=self._target_ratio,
            early=early_signals(self.run, used),
        )

    @cached_property
    def parameters(self) -> list[str]:
        """Parameters that were searched and differ between trials."""
        return searched_parameters(self.run)

    def draw(self, name: str) -> go.Figure | None:
        """The figure of this name, one of `FIGURES`; None when the run has too few trials."""
        return self._drawn[name]()

    def contours(self) -> dict[str, go.Figure]:
        """The objective over pairs of parameters, by their names."""
        return {
            f"{label_of(info.x_name)} × {label_of(info.y_name)}": contour_figure(
                info, objective=self.run.objective
            )
            for info in contour_infos(self.run, self.parameters)
        }

    @cached_property
    def _study(self) -> optuna.Study:
        return study_of(self.run, ENDED)

    @property
    def _drawn(self) -> dict[str, Callable[[], go.Figure | None]]:
        run, labels = self.run, self._labels
        return {
            "ratio-drift": lambda: ratio_drift_figure(
                ratio_drift_info(run, self.balance, self.answers.equivalence), labels
            ),
            "predictors": lambda: predictors_figure(predictors_info(self.answers)),
            "overlay": lambda: overlay_figure(
                loss_overlay(run, self.losses, labels), y_title="adversarial loss (moving average)"
            ),
            "validation": lambda: overlay_figure(
                validation_overlay(run, self.validations, labels), y_title=run.objective
            ),
            "timeline": lambda: timeline_figure(timeline_info(run), labels),
            "history": lambda: history_figure(run, study_of(run), labels),
            "importance": lambda: importance_figure(
                importance_of(run, self._study), objective=run.objective
            ),
            "parallel": lambda: parallel_figure(parallel_info(run, self.parameters)),
            "slice": lambda: slice_figure(
                self._study, objective=run.objective, parameters=self.parameters
            ),
            "pareto": lambda: pareto_figure(pareto_info(run), labels),
        }
