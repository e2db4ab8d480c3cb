"""Which device a trial runs on, and what it does fast there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from data_pipeline.errors import InputError
from models.training.settings import Precision

DeviceName = Literal["auto", "cuda", "mps", "cpu"]
DEVICES: tuple[DeviceName, ...] = ("auto", "cuda", "mps", "cpu")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """A device with the layout and arithmetic chosen for it."""

    device: torch.device
    #: type that convolutions compute in; float32 means no autocast
    dtype: torch.dtype
    memory_format: torch.memory_format

    def autocast(self) -> torch.autocast:
        """Return a context in which the networks compute in `dtype`."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16
        )

    def __str__(self) -> str:
        return self.device.type


def available_devices() -> list[str]:
    """Names of the devices of this machine, best first."""
    names = []
    if torch.cuda.is_available():
        names.append("cuda")
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def gpu_memory() -> int | None:
    """Bytes of memory of this machine's smallest NVIDIA GPU, None where there is none."""
    if not torch.cuda.is_available():
        return None
    count = torch.cuda.device_count()
    return min(torch.cuda.get_device_properties(i).total_memory for i in range(count))


def resolve_compute(device: str = "auto", precision: Precision = "auto") -> Compute:
    """Choose the device (cuda, then mps, then cpu), its memory format and its precision.

    Raises InputError for a device that is not there or bfloat16 without hardware for it.
    """
    if device not in DEVICES:
        raise InputError(f"device must be one of {', '.join(DEVICES)}, but got {device!r}")
    names = available_devices()
    if device == "auto":
        device = names[0]
    elif device not in names:
        raise InputError(
            f"device must be present on this machine ({', '.join(names)}), but got {device!r}; "
            "use --device auto"
        )
    has_bf16 = _has_fast_bfloat16(device)
    if precision == "bfloat16" and not has_bf16:
        raise InputError(
            f"precision bfloat16 must be supported by the device, but {device} lacks it; "
            "use precision auto or float32"
        )
    use_bf16 = precision != "float32" and has_bf16
    return Compute(
        device=torch.device(device),
        dtype=torch.bfloat16 if use_bf16 else torch.float32,
        # MPS has known faults with channels-last convolutions.
        memory_format=torch.contiguous_format if device == "mps" else torch.channels_last,
    )


def _has_fast_bfloat16(device: str) -> bool:
    if device == "cuda":
        # Below compute capability 8.0 bfloat16 is emulated, slower than float32.
        return torch.cuda.get_device_capability()[0] >= 8
    if device == "cpu":
        if hasattr(torch.cpu, "get_capabilities"):
            found = torch.cpu.get_capabilities()
            return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
        return bool(torch.cpu._is_avx512_bf16_supported())
    return False
