"""What we use of Ray beyond its public API is what it was; an upgrade of Ray may break it."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
from pathlib import Path

import pytest
import ray
from ray._private import services
from ray._private.authentication import authentication_token_setup as tokens

from search.tune.cluster import address, ray_internals
from search.tune.ray_session import ray_session
from tests.search.tune.nodes import descendants

ROOT = Path(__file__).parents[3]


def test_private_names_of_ray_are_in_one_module() -> None:
    private = re.compile(r"\bray\.(_\w+|\w+\._\w+)|\bray\b.* import _")
    users = {
        path.relative_to(ROOT).as_posix()
        for package in ("analysis", "chromatune", "data_pipeline", "models", "search")
        for path in (ROOT / package).rglob("*.py")
        if private.search(path.read_text(encoding="utf-8"))
    }
    assert users == {"search/tune/cluster/ray_internals.py"}


def test_the_names_take_what_we_give_them() -> None:
    inspect.signature(services.canonicalize_bootstrap_address).bind("auto")
    inspect.signature(services.find_node_ids).bind()
    inspect.signature(tokens.maybe_enable_token_auth_if_token_available).bind(
        warn_if_disabled=False
    )
    inspect.signature(tokens.ensure_token_if_auth_enabled).bind(create_token_if_missing=False)


def test_they_find_and_reach_a_ray_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    context = ray.init(
        "local", num_cpus=0, include_dashboard=False, object_store_memory=100_000_000
    )
    try:
        where: str = context.address_info["gcs_address"]
        assert ray_internals.runs_on_this_machine()
        ray_internals.ask_head(where, own_token=False)
        # The handshake of HTTP/2 that tells Ray's port from others.
        address.check_answer(*address.find(where))
        monkeypatch.setenv("RAY_ADDRESS", where)
        assert ray_internals.address_of_this_machine() == where
    finally:
        ray.shutdown()


def test_a_local_session_starts_servers_and_workers_alone() -> None:
    with ray_session(None, "cpu"):
        assert ray.get(ray.remote(lambda: 7).remote()) == 7
        started = _commands()
    assert any("gcs_server" in words[0] for words in started)
    # The raylet's command line names all the others.
    others = [" ".join(words) for words in started if not words[0].endswith("raylet")]
    assert len(others) == len(started) - 1
    for service in ("monitor.py", "dashboard.py", "DashboardAgent", "agent.py"):
        assert not any(service in words for words in others), service
    # With Ray ends what stands in for the dashboard's agent.
    assert sum("getppid" in words for words in others) == 1
    assert not any("getppid" in word for words in _commands() for word in words)


def _commands() -> list[list[str]]:
    """The command lines of all that this process has started."""
    found = []
    for pid in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0"))
    return found
