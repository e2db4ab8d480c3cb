"""`chromatune doctor`: what this machine trains on, and whether it computes rightly there."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from search.run.directory import program_version

PACKAGES = ("torch", "ray", "optuna")


def add_parser(commands: Any) -> None:
    """Add the command to the sub-parsers of `commands`."""
    doctor = commands.add_parser(
        "doctor", help="what this machine trains on, and whether it computes rightly there"
    )
    doctor.set_defaults(run=_doctor)
    doctor.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto")
    doctor.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")


def _doctor(arguments: argparse.Namespace) -> int:
    import torch

    from data_pipeline.parallel import usable_cores
    from models.accelerator.diagnosis import why_no_gpu
    from models.accelerator.self_check import check_device
    from models.training.device import available_devices, resolve_compute

    packages = ", ".join(f"{name} {_version_of(name)}" for name in PACKAGES)
    print(
        f"versions: chromatune {program_version()}, Python {platform.python_version()}, {packages}"
    )
    print(f"CUDA of torch: {torch.version.cuda or 'none'}")
    print(f"devices: {', '.join(available_devices())} ({usable_cores()} cores)")
    if reason := why_no_gpu():
        print(f"no GPU: {reason}")
    compute = resolve_compute(arguments.device, arguments.precision)
    layout = str(compute.memory_format).removeprefix("torch.")
    print(
        f"a trial will use: {compute}{_gpu_name(compute.device.type)}, "
        f"{str(compute.dtype).removeprefix('torch.')}, {layout}, "
        + ("recorded steps where they are faster" if compute.captures else "steps called")
    )
    agree = True
    for finding in check_device(compute):
        word = "agrees with the CPU" if finding.agrees else "DIFFERS"
        print(f"check: {finding.part} {word}: {finding.detail}", flush=True)
        agree &= finding.agrees
    return 0 if agree else 1


def _gpu_name(device: str) -> str:
    import torch

    if device != "cuda":
        return ""
    free, total = torch.cuda.mem_get_info()
    return f" ({torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free)"


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
