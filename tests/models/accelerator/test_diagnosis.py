"""Why a GPU is not used, on machines that this one is not."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
import torch

from models.accelerator.diagnosis import why_no_gpu


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Linux machine where PyTorch sees no GPU; returns a folder of programs that it finds."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), "/usr/bin", "/bin"]))
    return tmp_path


def with_driver(programs: Path) -> None:
    smi = programs / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA L4, 535.104.05'\n")
    smi.chmod(0o755)


def test_a_gpu_that_is_used_needs_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert why_no_gpu() is None


def test_no_gpu_at_all(no_gpu: Path) -> None:
    assert why_no_gpu() == "no NVIDIA GPU or no driver: `nvidia-smi` must list it"


def test_a_pytorch_without_cuda(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_driver(no_gpu)
    monkeypatch.setattr(torch.version, "cuda", None)
    reason = why_no_gpu() or ""
    assert reason.startswith("NVIDIA L4 (driver 535.104.05) is there, but this PyTorch (")
    assert "install a CUDA build" in reason


def test_a_gpu_that_is_hidden(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_driver(no_gpu)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES='' may hide it: unset it" in (why_no_gpu() or "")


def test_a_driver_that_is_too_old(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_driver(no_gpu)

    def too_old() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old\n(found version 12020).")

    monkeypatch.setattr(torch.cuda, "init", too_old)
    reason = why_no_gpu() or ""
    assert reason.endswith(
        "but CUDA 13.2 does not start: The NVIDIA driver on your system is too old "
        "(found version 12020)."
    )


@pytest.mark.parametrize(
    ("machine", "built", "reason"),
    [
        ("x86_64", True, "Macs have one from the M1 on"),
        ("arm64", False, "built without MPS"),
        ("arm64", True, "update macOS"),
    ],
)
def test_on_a_mac(
    no_gpu: Path, monkeypatch: pytest.MonkeyPatch, machine: str, built: bool, reason: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: built)
    assert reason in (why_no_gpu() or "")
