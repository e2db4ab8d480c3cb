"""`--storage`: a database for the study, a place for a copy of the run, or one of each."""

from __future__ import annotations

import argparse
import re

from analysis.stored_run.run_files import without_credentials
from data_pipeline.errors import InputError
from search.addresses import is_remote_storage, without_password


def tell_apart(arguments: argparse.Namespace) -> None:
    """Set `storage` (a database or None) and `results` (a place or None) from --storage."""
    places = [address for address in arguments.storage if is_remote_storage(address)]
    databases = [address for address in arguments.storage if not is_remote_storage(address)]
    for kind, given in (("database", databases), ("place for results", places)):
        if len(given) > 1:
            raise InputError(
                f"--storage must name one {kind} at most, but got {len(given)}; leave one out"
            )
    arguments.storage = databases[0] if databases else None
    arguments.results = places[0] if places else None


def without_secrets(words: list[str]) -> list[str]:
    """The command line as it may be stored: passwords and keys are left out."""
    shown = []
    for word in words:
        flag, equals, value = (
            word.partition("=") if word.startswith("--storage=") else ("", "", word)
        )
        if is_remote_storage(value) and "://" in value:
            value = without_credentials(value)
        elif re.match(r"[a-z0-9+]+://[^/@]*:[^/]*@", value):
            value = without_password(value)
        shown.append(flag + equals + value)
    return shown
