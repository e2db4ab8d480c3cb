"""A run for notebooks: tables as DataFrames, figures of Plotly, pictures of Pillow.

    from analysis import open_run

    run = open_run("runs/mine")
    run.leaderboard().head()
    run.figure("ratio-drift")
    run.samples(run.best)

It shows the run as it was when it was opened; open a run that still grows again.
"""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.ranking import REPORT_TARGET_RATIO, Weights
from analysis.leaderboard.winners import Winners, winners
from analysis.optuna_view.in_memory_study import study_of
from analysis.report.drawing import FIGURES, ReportFigures
from analysis.report.render import write_report
from analysis.stored_run.columns import ENDED
from analysis.stored_run.run import Run
from analysis.stored_run.run import open_run as open_stored_run
from analysis.stored_run.run_folder_error import RunFolderError
from models.file_names import ORIGINALS, SAMPLES


class RunResults:
    """What a search has found; made by `open_run`."""

    #: what `figure` takes
    figure_names = FIGURES

    def __init__(self, stored: Run) -> None:
        #: the run's files, parsed: `info`, `config`, `data`, `status`
        self.stored = stored

    def __repr__(self) -> str:
        run = self.stored
        return (
            f"<run {run.name!r}, {run.status}: {len(run.trials)} trials in {run.folder.location}>"
        )

    @property
    def path(self) -> str:
        """The folder, or its address on remote storage without credentials."""
        return self.stored.folder.location

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, in the order they started (the columns are in docs/architecture.md)."""
        return self.stored.trials

    def leaderboard(
        self,
        *,
        sort: str | None = None,
        target_ratio: float = REPORT_TARGET_RATIO,
        weights: Weights | None = None,
    ) -> pd.DataFrame:
        """The trials, best first; raises RunFolderError for a column or ratio that cannot be."""
        return build_leaderboard(self.stored, sort=sort, target_ratio=target_ratio, weights=weights)

    def winners(self) -> Winners:
        """The trials with the best colours and the best balance, and why they differ."""
        return winners(self._board, self.stored.objective)

    @property
    def best(self) -> str | None:
        """The trial with the best colours, which `export` takes; None while none has ended."""
        return self.winners().best_colours

    @property
    def balanced(self) -> str | None:
        """The trial with the best balance, rank 1 of the leaderboard; None while none has ended."""
        return self.winners().best_balance

    def curves(self, trial_id: str) -> pd.DataFrame:
        """A trial's losses, one row per window of training steps."""
        return pd.DataFrame(self.stored.curves(self._known(trial_id)))

    def validation(self, trial_id: str) -> pd.DataFrame:
        """A trial's validation metrics, one row per epoch."""
        return pd.DataFrame(self.stored.validation(self._known(trial_id)))

    def study(self) -> optuna.Study:
        """A copy of the Optuna study in memory, for `optuna.visualization` and `importance`.

        Complete and pruned trials have the objective as their value.
        """
        return study_of(self.stored, ENDED)

    def figure(self, name: str) -> go.Figure:
        """A figure of the report, by a name of `figure_names`.

        Raises RunFolderError for another name, and when the run has too few trials to draw it.
        """
        if name not in FIGURES:
            raise RunFolderError(f"a figure must be one of {', '.join(FIGURES)}, but got {name!r}")
        figure = self._figures.draw(name)
        if figure is None:
            raise RunFolderError(
                f"the figure {name!r} needs more trials than {self.stored.folder.location} has "
                f"({len(self.trials)}); open the run again when more have ended"
            )
        return figure

    def contours(self) -> dict[str, go.Figure]:
        """The objective over pairs of parameters; empty while too few trials have ended."""
        return self._figures.contours()

    def samples(self, trial_id: str) -> Image.Image:
        """A trial's sample grid: nine grey photos left, their outputs right."""
        return self._picture(trial_id, SAMPLES)

    def originals(self, trial_id: str) -> Image.Image:
        """The same nine photos in their true colours."""
        return self._picture(trial_id, ORIGINALS)

    def write_report(self, out: str | Path) -> Path:
        """Write the HTML report, as `chromatune report` does."""
        return write_report(self.stored, Path(out))

    @cached_property
    def _board(self) -> pd.DataFrame:
        return self.leaderboard()

    @cached_property
    def _figures(self) -> ReportFigures:
        return ReportFigures(self.stored, self._board, self.winners())

    def _known(self, trial_id: str) -> str:
        known: list[Any] = self.trials["trial_id"].tolist()
        if trial_id not in known:
            where = self.stored.folder.location
            raise RunFolderError(
                f"a trial must be one of the {len(known)} in {where}, but got {trial_id!r}; "
                "see `trials`"
            )
        return trial_id

    def _picture(self, trial_id: str, name: str) -> Image.Image:
        content = self.stored.picture(self._known(trial_id), name)
        if content is None:
            raise RunFolderError(
                f"a trial has {name} after its first epoch, but trial {trial_id} has none yet"
            )
        try:
            return Image.open(io.BytesIO(content)).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise RunFolderError(
                f"{name} must be a picture, but that of trial {trial_id} is damaged: {error}"
            ) from error


def open_run(location: str | Path) -> RunResults:
    """Open a run's folder, finished or still growing, by its path or URI (s3://...).

    Nothing is written, and neither Torch nor Ray is loaded. Raises RunFolderError for what is no
    run.
    """
    return RunResults(open_stored_run(location))
