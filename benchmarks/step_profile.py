"""Where the time of a training step goes, and what part of the convolution peak it reaches.

    python -m benchmarks.step_profile [--device cuda] [--threads 1] [--steps 8] [--json FILE]

Peak: the highest rate, over some shapes, of a single convolution forwards in the step's precision
and memory layout. Operations of a step are counted by torch.utils.flop_counter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.step import CASES, step_on_noise
from models.training.device import DEVICES, DeviceName, resolve_compute, synchronize

#: channels and pixels a side of the convolutions that are tried for the peak, batches of 16
PEAK_SHAPES = ((32, 64), (64, 64), (128, 32), (128, 64), (256, 32), (512, 16))
#: what the profiler calls an operation begins with one of these; the first that fits counts
GROUPS = {
    "convolutions": ("aten::mkldnn_conv", "aten::conv", "aten::_conv"),
    "batch normalisation": ("aten::native_batch_norm", "aten::batch_norm"),
    "dropout": ("aten::bernoulli", "aten::native_dropout"),
    "optimizers": ("aten::_fused_adam", "aten::_fused_adamw", "Optimizer"),
    "activations": ("aten::tanh", "aten::leaky_relu", "aten::thresh", "aten::clamp"),
    "linear layer": ("aten::addmm", "aten::mm", "aten::linear"),
    "copies, casts, concatenation": ("aten::copy_", "aten::cat", "aten::clone", "aten::fill_"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    peak = convolution_peak(options.device)
    print(f"{options.threads} threads, torch {torch.__version__}, peak {peak:.0f} GFLOP/s")
    results = []
    for case in CASES:
        result = measure(*case, steps=options.steps, device=options.device)
        result["of_peak"] = round(result["gflops_a_sec"] / peak, 3)
        results.append(result)
        print(
            f"\nwidths {case[0]}, {case[1]}, {case[2]} px, batch {case[3]}: "
            f"{result['seconds']:.3f} s, {result['gflop']:.0f} GFLOP, "
            f"{result['gflops_a_sec']:.0f} GFLOP/s,"
            f" {result['of_peak']:.0%} of the peak"
        )
        for name, share in result["shares"].items():
            print(f"  {name:<32} {share:6.1%}")
    if options.json:
        document = {"threads": options.threads, "peak_gflops": peak, "cases": results}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def convolution_peak(device: DeviceName) -> float:
    """Highest rate of a 3 x 3 convolution, in 1e9 operations a second (an addition is one)."""
    compute = resolve_compute(device)
    rates = []
    for channels, side in PEAK_SHAPES:
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(
            compute.device, dtype=compute.dtype, memory_format=compute.memory_format
        )
        images = torch.rand(16, channels, side, side).to(
            compute.device, dtype=layer.weight.dtype, memory_format=compute.memory_format
        )
        operations = 2 * 9 * channels**2 * side**2 * 16
        with torch.inference_mode():
            rates.append(operations / _median(lambda: layer(images), 9, compute.device) / 1e9)  # noqa: B023
    return max(rates)


def measure(
    generator: int,
    discriminator: int,
    image_size: int,
    batch_size: int,
    *,
    steps: int,
    device: DeviceName,
) -> dict[str, Any]:
    """Time, operations and shares of a step."""
    step = step_on_noise(generator, discriminator, image_size, batch_size, device=device)
    place = resolve_compute(device).device
    step()
    with FlopCounterMode(display=False) as counter:
        step()
    seconds = _median(step, steps, place)
    activities = [ProfilerActivity.CPU]
    if place.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        for _ in range(steps):
            step()
    clock = "self_device_time_total" if place.type == "cuda" else "self_cpu_time_total"
    shares = dict.fromkeys([*GROUPS, "everything else"], 0.0)
    for event in profiler.key_averages():
        shares[_group(event.key)] += getattr(event, clock)
    total = sum(shares.values())
    operations = counter.get_total_flops() / 1e9
    return {
        "widths": [generator, discriminator],
        "image_size": image_size,
        "batch_size": batch_size,
        "seconds": round(seconds, 4),
        "gflop": round(operations, 2),
        "gflops_a_sec": round(operations / seconds, 1),
        "shares": {name: round(value / total, 4) for name, value in shares.items()},
    }


def _group(operation: str) -> str:
    for name, starts in GROUPS.items():
        if operation.startswith(starts):
            return name
    return "everything else"


def _median(action: Callable[[], Any], times: int, device: torch.device) -> float:
    action()
    synchronize(device)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        synchronize(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
