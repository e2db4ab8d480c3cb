"""All that we use of Ray beyond its public API; a new version may change any of it.

`ray.init` asks for a cluster again and again for a minute, and then ends the process from within
its C++ code. Nothing public asks once, so this does. tests/search/tune/test_ray_internals.py says
when an upgrade of Ray breaks it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def address_of_this_machine() -> str:
    """HOST:PORT of the cluster that runs on this machine; raises ConnectionError without one.

    As `ray.init("auto")` finds it: in RAY_ADDRESS, else in the file that `ray start` leaves.
    """
    from ray._private.services import canonicalize_bootstrap_address

    return canonicalize_bootstrap_address("auto") or ""


def runs_on_this_machine() -> bool:
    """Whether this machine is one of a cluster: who joins from outside waits for nothing."""
    from ray._private.services import find_node_ids

    return bool(find_node_ids())  # type: ignore[no-untyped-call]


def ask_head(address: str, *, own_token: bool) -> None:
    """Connect once to the head of a cluster at HOST:PORT, as `ray.init` does first.

    `own_token` takes the token of this machine without RAY_AUTH_MODE, as for `auto`.

    Raises ray.exceptions.AuthenticationError without the right token, and RayError for a head that
    does not answer.
    """
    from ray._private.authentication.authentication_token_setup import (
        ensure_token_if_auth_enabled,
        maybe_enable_token_auth_if_token_available,
    )
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    with _muted():
        if own_token:
            maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        ensure_token_if_auth_enabled(create_token_if_missing=False)
        GcsClient(address=address)


@contextmanager
def _muted() -> Iterator[None]:
    """Ray's core tells of its failures on file descriptor 2, at any log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
