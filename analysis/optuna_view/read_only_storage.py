"""The run's Optuna study as a read-only storage, with the sample grids as artifacts.

Artifacts are normally registered by writing to the study; here they are added to what is read, so
that looking at a search never writes to its journal.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Container
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from analysis.optuna_view.best_trial import BestColoursStorage
from analysis.stored_run.run_folder_error import RunFolderError
from models.file_names import ORIGINALS, SAMPLES

#: pictures of a trial's folder, in the order of the last digit of their artifact's identifier
PICTURES = (SAMPLES, ORIGINALS)
#: how Optuna's artifact attributes begin (optuna/artifacts/_upload.py)
_ARTIFACT = "artifacts:"


class ReadOnlyJournal(JournalFileBackend):
    """The journal of a search that may be going on."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuse to write."""
        raise PermissionError("the dashboard does not write to the study of a run")


class RunStorage(BestColoursStorage, JournalStorage):
    """The study of a run; its trials carry their pictures as artifacts."""

    def __init__(self, folder: Path) -> None:
        journal = folder / "study.journal"
        if not journal.is_file():
            raise RunFolderError(
                f"the dashboard needs the run's Optuna study, but {journal} is missing; "
                f"is the search still starting?"
            )
        self.run_folder = folder
        try:
            super().__init__(ReadOnlyJournal(str(journal)))
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            raise RunFolderError(
                f"study.journal must be one that Optuna {optuna.__version__} can read, but "
                f"{journal} is damaged or was written by a newer Optuna; upgrade optuna"
            ) from error

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """A trial with its artifacts."""
        return self._with_pictures(super().get_trial(trial_id))

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """All trials with their artifacts."""
        trials = super().get_all_trials(study_id, deepcopy=deepcopy, states=states)
        return [self._with_pictures(trial) for trial in trials]

    def _with_pictures(self, trial: FrozenTrial) -> FrozenTrial:
        found = {
            f"{_ARTIFACT}{trial.number:x}-{i}": json.dumps(
                {
                    "artifact_id": f"{trial.number:x}-{i}",
                    "filename": f"{trial.number:04d} {name}",
                    "mimetype": "image/png",
                    "encoding": None,
                }
            )
            for i, name in enumerate(PICTURES)
            if _picture(self.run_folder, trial.number, i).is_file()
        }
        # What the search itself has registered are copies of the same pictures.
        own = {k: v for k, v in trial._system_attrs.items() if not k.startswith(_ARTIFACT)}
        # The storage's own trial stays as it was read.
        trial = copy.copy(trial)
        trial._system_attrs = {**own, **found}
        return trial


class PictureStore:
    """Serves a run's pictures by their artifact's identifier: trial number in hex, dash, index."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a picture for reading."""
        number, _, index = artifact_id.partition("-")
        try:
            return _picture(self._folder, int(number, 16), int(index)).open("rb")
        except (ValueError, IndexError, OSError) as error:
            raise ArtifactNotFound(f"no picture {artifact_id!r}") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse to write."""
        raise PermissionError("the dashboard does not write to a run")

    def remove(self, artifact_id: str) -> None:
        """Refuse to remove."""
        raise PermissionError("the dashboard does not write to a run")


def _picture(folder: Path, number: int, index: int) -> Path:
    return folder / "trials" / f"{number:04d}" / PICTURES[index]
