"""Why a machine's GPU is not used."""

from __future__ import annotations

import os
import platform
import subprocess
import warnings
from pathlib import Path

import torch


def why_no_gpu() -> str | None:
    """One line on why PyTorch sees no GPU here, with the remedy; None where it sees one."""
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return None
    if platform.system() == "Darwin":
        if platform.machine() != "arm64":
            return "no GPU that PyTorch can use: Macs have one from the M1 on"
        if not torch.backends.mps.is_built():
            return "this PyTorch is built without MPS: install the one of pypi.org for arm64"
        return "MPS needs macOS 14 or newer: update macOS"
    gpu = nvidia_gpu()
    if gpu is None:
        return "no NVIDIA GPU or no driver: `nvidia-smi` must list it"
    if torch.version.cuda is None:
        return (
            f"{gpu} is there, but this PyTorch ({torch.__version__}) is built without CUDA: "
            "install a CUDA build (https://pytorch.org/get-started/locally)"
        )
    if (hidden := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return f"{gpu} is there, but CUDA_VISIBLE_DEVICES={hidden!r} may hide it: unset it"
    return f"{gpu} is there, but CUDA {torch.version.cuda} does not start: {_reason()}"


def nvidia_gpu() -> str | None:
    """Name and driver of the first NVIDIA GPU, whether or not PyTorch can use it."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        listed = []
    if listed:
        name, _, driver = listed[0].partition(",")
        return f"{name.strip()} (driver {driver.strip()})"
    return "an NVIDIA GPU" if Path("/proc/driver/nvidia/version").exists() else None


def _reason() -> str:
    """What PyTorch says when it must start CUDA, such as that the driver is too old for it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:
        return " ".join(str(error).split())
    return "update the driver"
