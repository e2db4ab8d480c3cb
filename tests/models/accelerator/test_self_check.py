"""The check of a device against the CPU finds what is wrong, and only that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from data_pipeline.batches import Decoder
from models.accelerator import self_check
from models.accelerator.self_check import check_device
from models.training.device import Compute, available_devices, resolve_compute
from tests.models.toys import cpu

PARTS = ["photos", "step", "metrics", "checkpoint", "resume"]
#: a device that orders its tensors otherwise than the CPU does
OTHER = cpu(memory_format=torch.contiguous_format)


def differing(compute: Compute = OTHER) -> list[str]:
    findings = list(check_device(compute))
    assert [finding.part for finding in findings][:5] == PARTS
    return [finding.part for finding in findings if not finding.agrees]


def test_a_device_that_computes_rightly_passes() -> None:
    assert differing() == []


def test_photos_that_are_off_by_a_bit_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    decode, calls = Decoder.__call__, []

    def inexact(self: Decoder, codes_N3HW: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(self)
        L_N1HW, ab_N2HW = decode(self, codes_N3HW)
        return (L_N1HW * (1 + 1e-7) if self is calls[0] else L_N1HW), ab_N2HW

    monkeypatch.setattr(Decoder, "__call__", inexact)
    assert differing() == ["photos"]


def test_metrics_that_are_off_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = iter([0.01, 0.0])
    compute: Callable[[Any], dict[str, float]] = self_check.ValidationMetrics.compute
    monkeypatch.setattr(
        self_check.ValidationMetrics,
        "compute",
        lambda self: {**(found := compute(self)), "l1": found["l1"] + next(offsets)},
    )
    assert differing() == ["metrics"]


def test_an_error_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise torch.AcceleratorError("CUDA error: no kernel image is available\nmore")

    monkeypatch.setattr(self_check, "save_checkpoint", fails)
    findings = {finding.part: finding for finding in check_device(OTHER)}
    assert not findings["checkpoint"].agrees
    assert findings["checkpoint"].detail.endswith("CUDA error: no kernel image is available")
    assert findings["metrics"].agrees


def test_recorded_steps_are_checked_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recorder:
        def __init__(self, device: torch.device) -> None:
            pass

        def warm_up(self, call: Callable[[], Tensor]) -> Tensor:
            return call()

        def record(self, call: Callable[[], object]) -> Callable[[], object]:
            return call

    monkeypatch.setattr("models.training.loop.GraphRecorder", Recorder)
    *_, last = check_device(replace(OTHER, captures=True))
    assert (last.part, last.agrees) == ("recorded steps", True)
    assert last.detail.count(" called, ") == 3  # of each kind of step
    monkeypatch.setattr(Recorder, "record", lambda self, call: lambda: None)
    *_, last = check_device(replace(OTHER, captures=True))
    assert not last.agrees
    assert "a replayed step had the losses" in last.detail


@pytest.mark.gpu
@pytest.mark.skipif(available_devices() == ["cpu"], reason="no GPU")
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_the_gpu_computes_what_the_cpu_computes(precision: Any) -> None:
    assert differing(resolve_compute("auto", precision)) == []
