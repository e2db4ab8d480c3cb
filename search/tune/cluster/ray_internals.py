"""All that we use of Ray beyond its public API; a new version may change any of it.

`ray.init` asks for a cluster again and again for a minute, and then ends the process from within
its C++ code. Nothing public asks once, so this does. tests/search/tune/test_ray_internals.py says
when an upgrade of Ray breaks it.

`ray.init("local")` starts a whole head of a cluster: four of its six helper processes watch a
cluster or feed a dashboard, and took 2.6 of 5 s of the processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

#: what Ray insists on as the dashboard's agent: it waits until its parent, the raylet, has gone
_IDLE_AGENT = (
    "import os, time; parent = os.getppid(); "
    "any(time.sleep(1) for _ in iter(lambda: os.getppid() == parent, False))"
)


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
def no_cluster_services() -> Iterator[None]:
    """Let `ray.init("local")` start what runs actors, without what watches a cluster.

    Left out are the autoscaler's monitor, the dashboard's server and agent, and the monitor that
    reads logs for the driver, which a session with `log_to_driver=False` has no use for. Nothing is
    left out where a version of Ray starts them in another way.
    """
    try:
        from ray._private import node, services
        from ray._raylet import (  # type: ignore[attr-defined]
            DASHBOARD_AGENT_LISTEN_PORT_NAME,
            METRICS_AGENT_PORT_NAME,
            METRICS_EXPORT_PORT_NAME,
            persist_port,
        )

        start = services.start_ray_process
        head = node.Node
        _ = head.start_monitor, head.start_log_monitor, head.start_api_server
    except (ImportError, AttributeError):
        yield
        return
    agent = subprocess.list2cmdline([sys.executable, "-I", "-S", "-c", _IDLE_AGENT])

    def start_without_agent(command: list[str], process_type: str, **how: Any) -> Any:
        flags = dict(word[2:].split("=", 1) for word in command if word[:2] == "--" and "=" in word)
        if {"dashboard_agent_command", "session_dir", "node_id"} <= flags.keys():
            for name in (
                DASHBOARD_AGENT_LISTEN_PORT_NAME,
                METRICS_AGENT_PORT_NAME,
                METRICS_EXPORT_PORT_NAME,
            ):
                # The raylet waits for the agent's ports; -1: the service is not in use.
                persist_port(flags["session_dir"], flags["node_id"], name, -1)
            command = [
                f"--dashboard_agent_command={agent}"
                if word.startswith("--dashboard_agent_command=")
                else word
                for word in command
            ]
        return start(command, process_type, **how)

    def without_server(self: Any, **_: Any) -> None:
        self._webui_url = ""

    with (
        mock.patch.object(services, "start_ray_process", start_without_agent),
        mock.patch.multiple(
            head,
            start_monitor=lambda self: None,
            start_log_monitor=lambda self: None,
            start_api_server=without_server,
        ),
    ):
        yield


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
