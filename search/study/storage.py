"""Where the Optuna study of a run lives: a journal in its folder, or a database.

A database's password is used and forgotten: the run's folder keeps the address without it, and
whoever opens the study again passes it once more or leaves it to the database's own means
(`PGPASSWORD`, `~/.pgpass`, `~/.my.cnf`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.durable import replace_file, sync_folder
from data_pipeline.errors import InputError
from search.addresses import database_url, without_password

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

CONNECT_TIMEOUT_SEC = 10
#: the drivers that the extra `database` installs; SQLAlchemy's defaults are others
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


def check_free(address: str, study_name: str) -> None:
    """Raise InputError if the database does not answer or has a study of that name."""
    from optuna.exceptions import DuplicatedStudyError

    storage = _open_database(address)
    if any(study.study_name == study_name for study in storage.get_all_studies()):
        raise InputError(
            f"a new run must have a name that is free in its study storage, but "
            f"{without_password(address)} has a study {study_name!r}; use another --name"
        ) from DuplicatedStudyError()


def open_storage(journal_path: Path, address: str | None) -> BaseStorage:
    """A study's storage: the journal or the database at `address`.

    Raises InputError when a database does not answer.
    """
    if address is not None:
        return _open_database(address)
    from search.study.journal import RunJournal

    _clear_after_kill(journal_path)
    # Optuna's lock is a link to this path: a relative one would dangle, and Optuna spin on it.
    journal = RunJournal(journal_path.absolute())
    sync_folder(journal_path.parent)  # Optuna syncs what it writes, but not that the file is there
    return journal


def _clear_after_kill(journal_path: Path) -> None:
    """Remove what a writer left that was killed; the run's own lock says that none is alive.

    A lock that nobody will release, and half a line (also of a full disk) to which the next one
    would be appended. A power cut may leave zeros in place of what was written last.
    """
    for leftover in journal_path.parent.glob(f"{journal_path.name}.lock*"):
        leftover.unlink(missing_ok=True)
    if journal_path.exists():
        content = journal_path.read_bytes()
        whole = content.partition(b"\0")[0]
        whole = whole[: whole.rfind(b"\n") + 1]
        if whole != content:
            replace_file(journal_path, whole)


def _open_database(address: str) -> BaseStorage:
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    url = database_url(address)
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    remote = url.get_backend_name() != "sqlite"
    timeout = {"connect_args": {"connect_timeout": CONNECT_TIMEOUT_SEC}} if remote else {}
    options = {"pool_pre_ping": True, **timeout}
    try:
        return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=options)
    except ImportError as error:
        raise InputError(
            f"a study in {url.get_backend_name()} needs its driver, but {error}; install it with: "
            "pip install 'chromatune[database]'"
        ) from error
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:
        cause = getattr(error, "orig", None) or error
        lines = str(cause).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"the study storage must be a database that answers, but "
            f"{without_password(address)}: {lines[0]}"
        ) from error
