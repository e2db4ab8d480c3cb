"""Device resolution on machines that this one is not: the probes of torch are replaced."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from data_pipeline.errors import InputError
from models.training.device import (
    Compute,
    available_devices,
    gpu_memory,
    is_device_lost,
    is_out_of_memory,
    resolve_compute,
    use_exact_float32,
)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to be on a machine; the default has a plain CPU and nothing else."""

    def pretend(
        *, cuda: tuple[int, int] | None = None, mps: bool = False, cpu_bf16: str | None = None
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        flags = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}
        if cpu_bf16:
            flags[cpu_bf16] = True
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)

    pretend()
    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "devices"),
    [
        (None, False, ["cpu"]),
        (None, True, ["mps", "cpu"]),
        ((8, 0), False, ["cuda", "cpu"]),
        ((8, 0), True, ["cuda", "mps", "cpu"]),
    ],
)
def test_auto_takes_the_best_device_there_is(
    machine: Any, cuda: tuple[int, int] | None, mps: bool, devices: list[str]
) -> None:
    machine(cuda=cuda, mps=mps)
    assert available_devices() == devices
    assert str(resolve_compute()) == devices[0]
    for name in devices:
        assert resolve_compute(name).device == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(machine: Any, name: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_compute(name)
    assert f"must be present on this machine (cpu), but got '{name}'" in str(caught.value)
    assert "--device auto" in str(caught.value)


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "cuda:0"])
def test_a_device_that_never_is_there_is_refused(machine: Any, name: str) -> None:
    machine(cuda=(9, 0), mps=True)
    with pytest.raises(InputError, match="device must be one of auto, cuda, mps, cpu, but got"):
        resolve_compute(name)


@pytest.mark.parametrize(
    ("device", "hardware", "fast"),
    [
        ("cpu", {}, False),
        ("cpu", {"cpu_bf16": "avx512_bf16"}, True),
        ("cpu", {"cpu_bf16": "amx_bf16"}, True),
        ("cpu", {"cuda": (9, 0)}, False),
        ("cuda", {"cuda": (7, 5)}, False),
        ("cuda", {"cuda": (8, 0)}, True),
        ("cuda", {"cuda": (12, 0)}, True),
        ("mps", {"mps": True}, False),
    ],
)
def test_bfloat16_where_the_hardware_has_it(
    machine: Any, device: str, hardware: dict[str, Any], fast: bool
) -> None:
    machine(**hardware)
    assert resolve_compute(device, "float32").dtype == torch.float32
    assert resolve_compute(device, "auto").dtype == (torch.bfloat16 if fast else torch.float32)
    if fast:
        assert resolve_compute(device, "bfloat16").dtype == torch.bfloat16
    else:
        with pytest.raises(InputError) as caught:
            resolve_compute(device, "bfloat16")
        assert f"must be supported by the device, but {device} lacks it" in str(caught.value)
        assert "use precision auto or float32" in str(caught.value)


def test_a_torch_that_cannot_list_capabilities(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    for supported, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda s=supported: s)
        assert resolve_compute("cpu").dtype == dtype


def test_channels_last_everywhere_but_on_apple_gpus(machine: Any) -> None:
    machine(cuda=(8, 0), mps=True)
    assert resolve_compute("cuda").memory_format == torch.channels_last
    assert resolve_compute("cpu").memory_format == torch.channels_last
    assert resolve_compute("mps").memory_format == torch.contiguous_format


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_float32_means_no_autocast(device: str) -> None:
    compute = Compute(
        device=torch.device(device), dtype=torch.float32, memory_format=torch.contiguous_format
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with compute.autocast():
            assert not torch.is_autocast_enabled(device)


def test_autocast_computes_convolutions_in_bfloat16() -> None:
    compute = Compute(
        device=torch.device("cpu"), dtype=torch.bfloat16, memory_format=torch.channels_last
    )
    layer = torch.nn.Conv2d(1, 2, 3)
    with compute.autocast():
        assert layer(torch.ones(1, 1, 8, 8)).dtype == torch.bfloat16
    assert layer(torch.ones(1, 1, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB, max allowed: 9.07 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_memory_that_was_short_is_known_whatever_reports_it(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
)
def test_errors_after_which_a_process_cannot_go_on(error: Exception) -> None:
    assert is_device_lost(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not fit"), InputError("CUDA error: no"), OSError(28, "full")]
)
def test_other_errors_are_neither(error: Exception) -> None:
    assert not is_device_lost(error)
    assert not is_out_of_memory(error)


def test_float32_is_not_tf32() -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    use_exact_float32()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_memory_of_a_gpu_is_what_is_free_of_it(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpu_memory() is None
    machine(cuda=(9, 0))
    monkeypatch.setattr("models.training.device._PRINT_FREE_BYTES", "print('noise'); print(7)")
    assert gpu_memory() == 7


def test_a_gpu_that_cannot_be_asked_counts_as_free(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(cuda=(9, 0))
    monkeypatch.setattr("models.training.device._PRINT_FREE_BYTES", "raise SystemExit(1)")
    sizes = [SimpleNamespace(total_memory=size) for size in (9, 5)]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", sizes.__getitem__)
    assert gpu_memory() == 5


@pytest.mark.parametrize("device", ["mps", "cpu"])
def test_only_cuda_copies_in_the_background(device: str) -> None:
    compute = Compute(
        device=torch.device(device), dtype=torch.float32, memory_format=torch.contiguous_format
    )
    batch = Mock(device=torch.device("cpu"))
    assert compute.move(batch) is batch.to.return_value
    batch.to.assert_called_once_with(compute.device)
    batch.pin_memory.assert_not_called()


def test_cuda_copies_in_the_background_from_pinned_memory_alone() -> None:
    compute = Compute(
        device=torch.device("cuda"), dtype=torch.float32, memory_format=torch.channels_last
    )
    batch = Mock(device=torch.device("cpu"))
    compute.move(batch)
    batch.to.assert_not_called()
    batch.pin_memory.return_value.to.assert_called_once_with(compute.device, non_blocking=True)
    resident = Mock(device=torch.device("cuda", 0))
    compute.move(resident)
    resident.pin_memory.assert_not_called()
