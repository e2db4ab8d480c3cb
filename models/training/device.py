"""Which device a trial runs on, what it does fast there and what its errors mean."""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from data_pipeline.errors import InputError
from models.training.settings import Precision

DeviceName = Literal["auto", "cuda", "mps", "cpu"]
DEVICES: tuple[DeviceName, ...] = ("auto", "cuda", "mps", "cpu")
#: what the messages of plain RuntimeErrors say when memory was short: PyTorch's allocators of MPS
#: and of the CPU, the CUDA runtime, and its libraries, which allocate by themselves
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "STATUS_ALLOC_FAILED",
    "HOST_ALLOCATION_FAILED",
    "DEVICE_ALLOCATION_FAILED",
)
#: what they say when a kernel failed: the context of the process is then beyond use
_DEVICE_LOST = ("CUDA error:", "STATUS_EXECUTION_FAILED", "STATUS_INTERNAL_ERROR")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """A device with the layout and arithmetic chosen for it."""

    device: torch.device
    #: type that convolutions compute in; float32 means no autocast
    dtype: torch.dtype
    memory_format: torch.memory_format
    #: whether steps are recorded and replayed: what varies between them then lies in tensors
    captures: bool = False
    #: steps run with one or with so many threads, whichever is faster at the time; 1: the number of
    #: threads is left alone, and results are the same bits each time
    adaptive_threads: int = 1

    def autocast(self) -> torch.autocast:
        """Return a context in which the networks compute in `dtype`."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16
        )

    def move(self, tensor: Tensor) -> Tensor:
        """Bring a tensor to the device.

        Only CUDA copies in the background, and only from pinned memory, which PyTorch keeps until
        the copy is done. A pageable source may be freed and overwritten before MPS reads it.
        """
        if self.device.type == "cuda" and tensor.device.type == "cpu":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)

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
    """Bytes that are free on the fullest NVIDIA GPU of this machine, None where there is none.

    Asked of another process: the question makes a context, which takes half a gigabyte of the GPU
    for as long as its process lives.
    """
    if not torch.cuda.is_available():
        return None
    asked = subprocess.run(
        [sys.executable, "-c", _PRINT_FREE_BYTES], capture_output=True, text=True, check=False
    )
    if asked.returncode == 0:
        return int(asked.stdout.split()[-1])
    count = torch.cuda.device_count()
    return min(torch.cuda.get_device_properties(i).total_memory for i in range(count))


_PRINT_FREE_BYTES = """
import torch
print(min(torch.cuda.mem_get_info(i)[0] for i in range(torch.cuda.device_count())))
"""


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given; what a clock is read after."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def free_device_memory() -> None:
    """Hand back to the device what this process keeps of it and no longer uses.

    Trials that share a GPU must not suffer from what another had reserved. To be called when
    nothing holds the tensors any more: an `except` block holds, through its error's traceback, all
    that the failed call had at hand.
    """
    gc.collect()
    torch.cuda.empty_cache()  # does nothing where CUDA was not used
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short, of the device or of the machine; the process can go on."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def is_device_lost(error: BaseException) -> bool:
    """Whether the device, as this process sees it, is beyond use: only a new process can go on.

    After such an error (an illegal address, a failed assertion, a GPU that fell off the bus) every
    further call of CUDA fails in the same way.
    """
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    kind = getattr(torch, "AcceleratorError", ())
    return isinstance(error, kind) or any(words in str(error) for words in _DEVICE_LOST)


def use_exact_float32() -> None:
    """Make float32 mean IEEE float32 on every device of this process.

    By default cuDNN rounds the factors of float32 convolutions to TF32, 10 bits of mantissa
    (https://docs.pytorch.org/docs/stable/notes/cuda.html#tf32-on-ampere): results would differ
    from those of the CPU from the third digit on. Whoever wants speed has bfloat16.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


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
        captures=device == "cuda",
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
