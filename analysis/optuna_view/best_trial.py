"""Optuna's "best trial" of a run is the trial that the leaderboard calls best colours.

Optuna itself takes the lowest value of a single complete trial, whatever the repeats of its
configuration say.
"""

from __future__ import annotations

from pathlib import Path

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.stored_run.run import open_run


class BestColoursStorage(BaseStorage):
    """Mixed into a storage, before it, that holds the study of the run at `run_folder`."""

    run_folder: Path

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The best colours; what Optuna takes where the run has none that the study knows."""
        run = open_run(self.run_folder)
        chosen = winners(build_leaderboard(run), run.objective).best_colours
        for trial in self.get_all_trials(study_id, deepcopy=False):
            if f"{trial.number:04d}" == chosen:
                return trial
        return super().get_best_trial(study_id)
