"""Addresses outside the run's folder: a database for the study, a place for copies of the run.

What is checked here needs no connection; `study.storage` and `run.remote_storage` open them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.stored_run.run_files import without_credentials
from data_pipeline.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DATABASES = ("postgresql", "mysql", "sqlite")
REMOTE_SCHEMES = ("file", "s3", "gs", "gcs", "abfs", "abfss", "hdfs")


def database_url(address: str) -> URL:
    """The address of a database that Optuna knows; raises InputError for any other."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in DATABASES:
        raise InputError(
            f"the storage must be a database's address, such as postgresql://USER@HOST/NAME or "
            f"sqlite:///FILE, but got {address.rpartition('@')[2]!r}"
        )
    return url


def without_password(address: str) -> str:
    """The database's address as it may be shown and stored."""
    from sqlalchemy.engine import URL

    url = database_url(address)
    bare = URL.create(
        url.drivername,
        username=url.username,
        host=url.host,
        port=url.port,
        database=url.database,
        query={key: value for key, value in url.query.items() if key != "password"},
    )
    return bare.render_as_string(hide_password=False)


def is_remote_storage(address: str) -> bool:
    """Whether this is the address of a place: an absolute folder or a URI of a known scheme."""
    scheme, separator, _ = address.partition("://")
    return scheme in REMOTE_SCHEMES if separator else address.startswith("/")


def check_remote_storage(address: str) -> None:
    """Raise InputError unless this is the address of a place."""
    if not is_remote_storage(address):
        raise InputError(
            "results must go to an absolute folder or a URI such as s3://BUCKET/runs "
            f"({', '.join(REMOTE_SCHEMES)}), but got {without_credentials(address)!r}"
        )
