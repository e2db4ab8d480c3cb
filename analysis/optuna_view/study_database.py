"""The Optuna study of a run that keeps it in a database, for looking at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from optuna.artifacts import FileSystemArtifactStore
from optuna.storages import RDBStorage

from analysis.optuna_view.best_trial import BestColoursStorage
from analysis.stored_run.run_folder_error import RunFolderError

if TYPE_CHECKING:
    from optuna.study._frozen import FrozenStudy


def open_study_database(address: str, study_name: str, run_folder: Path) -> RDBStorage:
    """Open the database and show one study of it, that of the run at `run_folder`.

    Raises:
        RunFolderError: the database does not answer.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return _OneStudy(address, study_name, run_folder)
    except (ImportError, RuntimeError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        line = (str(cause).strip().splitlines() or [type(error).__name__])[0]
        raise RunFolderError(
            f"the dashboard needs the run's study, but {address} does not answer: {line}; if it "
            "asks for a password, leave it where the database looks (PGPASSWORD, ~/.pgpass)"
        ) from error


class _OneStudy(BestColoursStorage, RDBStorage):
    """A database may hold the studies of other runs, and of other people."""

    def __init__(self, address: str, study_name: str, run_folder: Path) -> None:
        super().__init__(address, engine_kwargs={"pool_pre_ping": True})
        self._study_name = study_name
        self.run_folder = run_folder

    def get_all_studies(self) -> list[FrozenStudy]:
        """The study of the run, if the search has made it already."""
        return [s for s in super().get_all_studies() if s.study_name == self._study_name]


class ArtifactFolder(FileSystemArtifactStore):
    """What the search has attached to the study; nothing is written."""

    def __init__(self, run_folder: Path) -> None:
        super().__init__(run_folder / "artifacts")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse to write."""
        raise PermissionError("the dashboard does not write to a run")

    def remove(self, artifact_id: str) -> None:
        """Refuse to remove."""
        raise PermissionError("the dashboard does not write to a run")
