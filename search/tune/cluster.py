"""A Ray cluster that runs already: find it, send the code along, check that it fits the search.

Whatever does not fit is an InputError before the search has touched anything.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from data_pipeline.errors import InputError

#: what travels to the machines of a cluster
PACKAGES = ("analysis", "data_pipeline", "models", "search")
MAX_CODE_BYTES = 16_000_000
#: whatever lies about in a package but is no part of it
LEFT_OUT = (".*", "__pycache__", "*.pyc", "data", "results", "runs")
#: what must be the same on all machines; chromatune itself travels and may be missing there
COMPARED = ("ray", "torch", "optuna", "chromatune")
#: what trials import besides, where the last digit of a version changes no result
COMPARED_BY_RELEASE = ("numpy", "pandas", "pillow", "pyarrow")

# For each step: to connect (once for each address of a name, mostly IPv6 and IPv4), to hear.
_CONNECT_SEC = 5.0
_NODES_SEC = 120.0
# RFC 9113, section 3.4: what a client says first, here with empty SETTINGS; servers answer with
# SETTINGS, type 4. Ray's ports speak gRPC, which is HTTP/2.
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_SETTINGS = 4
_PORT = "the port of a cluster is that of `ray start --head`, 6379 unless told otherwise"
_START_ONE = "start the cluster (docs/clusters), or leave --address out to search on this machine"


def join(address: str, *, device: str, environment: Mapping[str, str]) -> None:
    """Connect to the cluster at `address` (`auto` or HOST:PORT) and check all its machines.

    Raises InputError when no cluster answers within seconds, when versions differ between its
    machines and this one, or when it lacks the asked device.
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
    try:
        machines = ask_machines()
        check_versions(own_versions(), machines)
        if device in ("cuda", "mps"):
            check_device(device, ask_devices(), machines=len(machines))
    except BaseException:
        ray.shutdown()
        raise


def find(address: str) -> tuple[str, int]:
    """Host and port of the cluster that `address` means; raises InputError when there is none."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    if "://" in address:
        raise InputError(
            f"--address must be auto or HOST:PORT, but got {address}, which would take the search "
            "away from its run's folder; use --address auto on a machine of the cluster (ray "
            "attach), or hand the search in from here: ray job submit --working-dir . -- "
            "chromatune search --address auto (docs/clusters/on-premises.md)"
        )
    if address == "auto":
        from ray._private.services import canonicalize_bootstrap_address

        try:
            address = canonicalize_bootstrap_address("auto") or ""
        except ConnectionError as error:
            raise InputError(
                f"--address auto must find Ray on this machine, but none runs here; {_START_ONE}"
            ) from error
    match = re.fullmatch(r"\[?([^\s\[\]]+?)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 2**16:
        raise InputError(f"--address must be auto or HOST:PORT, but got {address!r}")
    return match[1], int(match[2])


def check_answer(host: str, port: int) -> None:
    """Raise InputError unless something that may be Ray answers there within seconds."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_SEC) as connection:
            connection.sendall(_HTTP2_HELLO)
            frame = connection.recv(9)
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise InputError(
            f"a Ray cluster must answer at --address, but at {host}:{port} nobody does ({why}); "
            f"{_START_ONE}"
        ) from error
    if len(frame) < 4 or frame[3] != _HTTP2_SETTINGS:
        raise InputError(
            f"a Ray cluster must answer at --address, but what answers at {host}:{port} is not "
            f"Ray; {_PORT}"
        )


def _greet(address: str, where: str) -> None:
    """Ask once what `ray.init` would ask again and again for up to a minute."""
    from ray._private.authentication.authentication_token_setup import (
        ensure_token_if_auth_enabled,
        maybe_enable_token_auth_if_token_available,
    )
    from ray._private.services import find_node_ids
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError, RayError

    try:
        with _muted():
            if address == "auto" and not os.environ.get("RAY_ADDRESS"):
                maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
            ensure_token_if_auth_enabled(create_token_if_missing=False)
            GcsClient(address=where)
    except AuthenticationError as error:
        raise InputError(
            f"a search must have the token of its cluster, but {where} refuses ours, or we have "
            "none; copy ~/.ray/auth_token from the cluster's head and set RAY_AUTH_MODE=token"
        ) from error
    except RayError as error:
        raise InputError(
            f"a Ray cluster must answer at --address, but {where} does not answer as a head "
            f"does ({_first_line(error)}); {_PORT}"
        ) from error
    if not find_node_ids():  # type: ignore[no-untyped-call]
        raise InputError(
            f"a search must be started on a machine of its cluster, but no Ray runs on this one; "
            f"start it on one of the machines of {where}"
        )


def make_runtime_env(environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """What each worker of the cluster starts with: `environment`, and our code by way of `folder`.

    A job (`ray job submit`) has a runtime environment of its own; nothing in it is set twice,
    which Ray would refuse.
    """
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}").get("runtime_env") or {}
    taken = job.get("env_vars") or {}
    runtime_env: dict[str, Any] = {
        "env_vars": {name: value for name, value in environment.items() if name not in taken}
    }
    if not job.get("working_dir"):
        pack_code(folder)
        runtime_env["working_dir"] = str(folder)
    return runtime_env


def pack_code(folder: Path, root: Path | None = None) -> None:
    """Copy our packages from `root` to `folder`; raises InputError when they are too large.

    Only the packages, so that photos, runs, virtual environments and git's history beside them
    stay at home.
    """
    root = root or Path(__file__).parents[2]
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    for package in PACKAGES:
        shutil.copytree(root / package, folder / package, ignore=ignore)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_CODE_BYTES:
        raise InputError(
            f"the code that travels to a cluster must be at most {MAX_CODE_BYTES / 1e6:.0f} MB, "
            f"but {', '.join(PACKAGES)} in {root} have {size / 1e6:.0f} MB; move large files out"
        )


def own_versions() -> dict[str, str | None]:
    """The versions of this process, as far as they must agree; None for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in (*COMPARED, *COMPARED_BY_RELEASE):
        try:
            # One release of Torch has a build for each accelerator: 2.15.0+cu128.
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = None
    for name in COMPARED_BY_RELEASE:
        if whole := found[name]:
            found[name] = ".".join(whole.split(".")[:2])
    return found


def own_devices() -> list[str]:
    """The devices that PyTorch finds on this machine."""
    from models.training.device import available_devices

    return available_devices()


def ask_machines() -> dict[str, dict[str, str | None]]:
    """The versions of all machines of the cluster, by address."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return _ask(ray.remote(num_cpus=0, max_retries=0)(own_versions), nodes)


def ask_devices() -> dict[str, list[str]]:
    """What PyTorch finds on the machines that have a GPU for Ray, by address.

    Ray calls an NVIDIA and an Apple one alike `GPU`.
    """
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    # One call a process: it has seen all GPUs of its machine, and a trial must see its own alone.
    probe = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(own_devices)
    return _ask(probe, [node for node in nodes if node["Resources"].get("GPU", 0.0) > 0])


def _ask(probe: Any, nodes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The answers of a remote function on each of the nodes that are alive, by address."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    pending = {}
    for node in nodes:
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            pending[probe.options(scheduling_strategy=there).remote()] = node["NodeManagerAddress"]
    if pending:
        ray.wait(list(pending), num_returns=len(pending), timeout=_NODES_SEC)
    answers = {}
    for answer, machine in pending.items():
        try:
            answers[machine] = ray.get(answer, timeout=0)
        except RayError as error:
            # Ray's tracebacks end with what went wrong.
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"all machines of a cluster must run our code, but {machine} does not: "
                f"{lines[-1].strip()}; install chromatune there or stop Ray on it"
            ) from error
    return answers


def check_versions(
    ours: Mapping[str, str | None], machines: Mapping[str, Mapping[str, str | None]]
) -> None:
    """Raise InputError unless all machines have the versions of this one."""
    differences = [
        f"{machine} has {name} {theirs.get(name) or 'not at all'} (here {ours[name]})"
        for machine, theirs in machines.items()
        for name in ours
        if theirs.get(name) != ours[name] and not (name == "chromatune" and not theirs.get(name))
    ]
    if differences:
        raise InputError(
            f"all machines of a cluster must have the same versions, but {'; '.join(differences)}: "
            "install the same on all (constraints.txt)"
        )


def check_device(device: str, found: Mapping[str, Sequence[str]], *, machines: int) -> None:
    """Raise InputError unless each machine with a GPU has `device`, and there is one.

    `found` are the devices of those machines, by address. To Ray all GPUs are alike: a trial may
    come to any of them.
    """
    if not found:
        raise InputError(
            f"device must be present in the cluster, but got {device!r} where none of its "
            f"{machines} machines has a GPU; use --device auto, or add a machine with one"
        )
    lacking = [f"{at} has {', '.join(names)}" for at, names in found.items() if device not in names]
    if lacking:
        raise InputError(
            f"device must be present on all machines that have a GPU for Ray, but got {device!r} "
            f"where {'; '.join(lacking)}; use --device auto, or stop Ray on those"
        )


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
