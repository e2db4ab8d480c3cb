"""Does the device compute what the CPU computes, and take no more memory than is estimated?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch

from benchmarks.gpu.cases import PRECISIONS, cases, settings_of
from models.accelerator.memory import estimate_memory
from models.accelerator.noise_training import training_on_noise
from models.accelerator.self_check import check_device
from models.training.device import free_device_memory, resolve_compute

#: steps until each training has recorded its step, and more
_STEPS = 20


def measure(device: str, *, tiny: bool) -> Iterator[dict[str, Any]]:
    for precision in PRECISIONS:
        compute = resolve_compute(device, precision)
        dtype = str(compute.dtype).removeprefix("torch.")
        for finding in check_device(compute):
            yield {"precision": dtype, **asdict(finding)}
    for case in cases(tiny=tiny):
        settings = settings_of(case, "float32")
        compute = resolve_compute(device, "float32")
        free_device_memory()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        training = training_on_noise(settings, compute, steps=_STEPS)
        for _ in training.run_epoch():
            pass
        taken = torch.cuda.max_memory_allocated() if device == "cuda" else None
        estimate = estimate_memory(settings, n_photos=_STEPS * settings.batch_size)
        yield {"case": case, "max_memory_allocated": taken, "estimate": asdict(estimate)}
        del training
