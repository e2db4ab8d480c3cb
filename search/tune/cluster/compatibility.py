"""Whether the machines of a cluster fit a search: their versions and their devices."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from data_pipeline.errors import InputError

#: what must be the same on all machines; chromatune itself travels and may be missing there
COMPARED = ("ray", "torch", "optuna", "chromatune")
#: what trials import besides, where the last digit of a version changes no result
COMPARED_BY_RELEASE = ("numpy", "pandas", "pillow", "pyarrow")
_NODES_SEC = 120.0


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


class Node(NamedTuple):
    """A machine of the cluster that is alive."""

    node_id: str
    address: str
    cpus: float
    gpus: float


def alive_nodes() -> list[Node]:
    """All machines that are alive, of a cluster that is connected."""
    import ray

    return [
        Node(
            node_id=node["NodeID"],
            address=node["NodeManagerAddress"],
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


def ask_machines() -> dict[str, dict[str, str | None]]:
    """The versions of all machines of the cluster, by address."""
    import ray

    return _ask(ray.remote(num_cpus=0, max_retries=0)(own_versions), alive_nodes())


def ask_devices() -> dict[str, list[str]]:
    """What PyTorch finds on the machines that have a GPU for Ray, by address.

    Ray calls an NVIDIA and an Apple one alike `GPU`.
    """
    import ray

    # One call a process: it has seen all GPUs of its machine, and a trial must see its own alone.
    probe = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(own_devices)
    return _ask(probe, [node for node in alive_nodes() if node.gpus > 0])


def _ask(probe: Any, nodes: Iterable[Node]) -> dict[str, Any]:
    """The answers of a remote function on each of these nodes, by address."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    pending = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        pending[probe.options(scheduling_strategy=there).remote()] = node.address
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
