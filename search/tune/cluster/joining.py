"""Joins a Ray cluster that runs already, with our code, once all of its machines fit the search.

Whatever does not fit is an InputError before the search has touched anything.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from data_pipeline.errors import InputError
from search.tune.cluster import ray_internals
from search.tune.cluster.address import PORT_RULE, check_answer, find
from search.tune.cluster.compatibility import (
    ask_devices,
    ask_machines,
    check_device,
    check_versions,
    own_versions,
)
from search.tune.cluster.packed_code import make_runtime_env


def join(address: str, *, device: str, environment: Mapping[str, str]) -> None:
    """Connect to the cluster at `address` (`auto` or HOST:PORT) and check all its machines.

    Raises InputError when no cluster answers within seconds, when versions differ between its
    machines and this one, or when it lacks the asked device; then Ray may be connected already.
    """
    host, port = find(address)
    check_answer(host, port)
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _greet(address, where)
    import ray
    from ray.exceptions import RayError

    with tempfile.TemporaryDirectory(prefix="chromatune-code-") as folder:
        runtime_env = make_runtime_env(environment, Path(folder))
        try:
            ray.init(
                address,
                logging_level=logging.ERROR,
                log_to_driver=False,
                runtime_env=runtime_env,
            )
        except (ConnectionError, RuntimeError, RayError) as error:
            raise _refused(where, error) from error
    machines = ask_machines()
    check_versions(own_versions(), machines)
    if device in ("cuda", "mps"):
        check_device(device, ask_devices(), machines=len(machines))


def _greet(address: str, where: str) -> None:
    """Ask once what `ray.init` would ask again and again for up to a minute."""
    from ray.exceptions import AuthenticationError, RayError

    try:
        own_token = address == "auto" and not os.environ.get("RAY_ADDRESS")
        ray_internals.ask_head(where, own_token=own_token)
    except AuthenticationError as error:
        raise InputError(
            f"a search must have the token of its cluster, but {where} refuses ours, or we have "
            "none; copy ~/.ray/auth_token from the cluster's head and set RAY_AUTH_MODE=token"
        ) from error
    except RayError as error:
        raise InputError(
            f"a Ray cluster must answer at --address, but {where} does not answer as a head "
            f"does ({_first_line(error)}); {PORT_RULE}"
        ) from error
    if not ray_internals.runs_on_this_machine():
        raise InputError(
            f"a search must be started on a machine of its cluster, but no Ray runs on this one; "
            f"start it on one of the machines of {where}"
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _refused(where: str, error: BaseException) -> InputError:
    reasons = [str(error), str(error.__cause__ or "")]
    if mismatch := re.search(r"Version mismatch: (.*)", " ".join(reasons), re.DOTALL):
        return InputError(
            "all machines of a cluster must have the same versions, but "
            f"{mismatch[1].strip()}: install the same on all (constraints.txt)"
        )
    return InputError(
        f"a search must be started on a machine of its cluster, but {where} does not take this "
        f"one: {reasons[-1] or reasons[0]}; start it on one of its machines"
    )
