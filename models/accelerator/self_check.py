"""Does a device compute what the CPU computes? A few seconds of training on both, compared."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.accelerator.captured_steps import TIMED_STEPS, WARM_UP_STEPS, CapturedSteps
from models.accelerator.noise_training import training_on_noise
from models.metrics.accumulate import ValidationMetrics
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.device import Compute, resolve_compute
from models.training.loop import Training
from models.training.settings import TrainingSettings

#: relative differences of losses that rounding explains, over the steps of the check
TOLERANCES = {torch.float32: 0.01, torch.bfloat16: 0.05}
#: the same of metrics, computed from the same colours in float32
METRIC_TOLERANCE = 1e-3
_STEPS = 4
#: epochs of the check: pre-training, then the discriminator at every other step
_EPOCHS = 2
SETTINGS = TrainingSettings(
    generator_complexity=8,
    discriminator_complexity=4,
    image_size=64,
    batch_size=4,
    pretrain_epochs=1,
    discriminator_every=2,
    lr_decay=0.5,
    lr_decay_every_epochs=1,
    # Devices draw other masks.
    dropout=0.0,
    window_steps=1,
    crop_area=0.4,
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one part of the check found."""

    part: str
    agrees: bool
    detail: str


def check_device(compute: Compute) -> Iterator[Finding]:
    """Yield a finding for each part of what a trial does on a device; an error is a finding too."""
    cpu = resolve_compute("cpu", "float32")
    here = training_on_noise(SETTINGS, replace(compute, captures=False), steps=_STEPS)
    there = training_on_noise(SETTINGS, cpu, steps=_STEPS)
    tolerance = TOLERANCES[compute.dtype]
    parts: dict[str, Callable[[], tuple[bool, str]]] = {
        "photos": lambda: _photos(here, there),
        "step": lambda: _losses(_rows(here, _EPOCHS), _rows(there, _EPOCHS), tolerance),
        "metrics": lambda: _metrics(compute.device),
        "checkpoint": lambda: _checkpoint(here),
        "resume": lambda: _resume(here, cpu, tolerance),
    }
    if compute.captures:
        parts["recorded steps"] = lambda: _recorded(compute)
    for part, check in parts.items():
        try:
            agrees, detail = check()
        except Exception as error:
            reason = (str(error).strip().splitlines() or ["no message"])[0]
            agrees, detail = False, f"{type(error).__name__}: {reason}"
        yield Finding(part=part, agrees=agrees, detail=detail)


def _rows(training: Training, epochs: int) -> list[dict[str, Any]]:
    return [row for _ in range(epochs) for row in training.run_epoch()]


def _photos(here: Training, there: Training) -> tuple[bool, str]:
    batches = [
        [training.batches.decode(*draw) for draw in training.batches.draws(0)]
        for training in (here, there)
    ]
    pairs = [
        (one.cpu(), other)
        for ones, others in zip(*batches, strict=True)
        for one, other in zip(ones, others, strict=True)
    ]
    return all(torch.equal(*pair) for pair in pairs), "the same bits"


def _losses(
    rows: Iterable[dict[str, Any]], expected: Iterable[dict[str, Any]], tolerance: float
) -> tuple[bool, str]:
    worst = max(
        abs(row[name] - other[name]) / abs(other[name])
        for row, other in zip(rows, expected, strict=True)
        for name in ("reconstruction", "adversarial", "discriminator")
        if other[name] is not None
    )
    return worst <= tolerance, f"losses differ by {worst:.2g} of themselves (at most {tolerance:g})"


def _metrics(device: torch.device) -> tuple[bool, str]:
    random = torch.Generator().manual_seed(0)
    L_N1HW = torch.rand(4, 1, 64, 64, generator=random) * 2 - 1
    real_N2HW, fake_N2HW = (
        torch.rand(4, 2, 64, 64, generator=random) * 0.6 - 0.3 for _ in range(2)
    )

    def compute(place: torch.device) -> dict[str, float]:
        metrics = ValidationMetrics()
        metrics.update(L_N1HW.to(place), real_N2HW.to(place), fake_N2HW.to(place))
        return metrics.compute()

    found, expected = compute(device), compute(torch.device("cpu"))
    off = [
        name
        for name, value in expected.items()
        if not math.isclose(found[name], value, rel_tol=METRIC_TOLERANCE, abs_tol=1e-4)
    ]
    return not off, f"differ: {', '.join(off)}" if off else f"{len(expected)} metrics"


def _checkpoint(here: Training) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        save_checkpoint(path, here.state_dict())
        read = load_checkpoint(path)
    pairs = list(_tensors(here.state_dict(), read))
    return all(torch.equal(one.cpu(), other) for one, other in pairs), f"{len(pairs)} tensors"


def _tensors(one: Any, other: Any) -> Iterator[tuple[Tensor, Tensor]]:
    if isinstance(one, Tensor):
        yield one, other
    elif isinstance(one, dict):
        for key, value in one.items():
            yield from _tensors(value, other[key])


def _resume(here: Training, cpu: Compute, tolerance: float) -> tuple[bool, str]:
    moved = training_on_noise(here.settings, cpu, steps=_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        save_checkpoint(path, here.state_dict())
        moved.load_state_dict(load_checkpoint(path))
    return _losses(_rows(here, 1), _rows(moved, 1), tolerance)


def _recorded(compute: Compute) -> tuple[bool, str]:
    needed = WARM_UP_STEPS + 2 * TIMED_STEPS + 2
    training = training_on_noise(SETTINGS, compute, steps=2 * needed)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        _rows(training, _EPOCHS)
    assert isinstance(training.steps, CapturedSteps)
    if said:
        return False, str(said[0].message)
    times = training.steps.times.values()
    return bool(times), "; ".join(
        f"{1e3 * t.called_sec:.2f} ms called, {1e3 * t.replayed_sec:.2f} ms replayed" for t in times
    )
