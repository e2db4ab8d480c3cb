"""One validation pass: a generator's colours against the originals, on photos it never learnt from.

Shapes: N photos, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.metrics.accumulate import ValidationMetrics
from models.metrics.discrimination import HeldOutDiscrimination

Batches = Iterable[tuple[Tensor, Tensor]]


def validate(
    generator: nn.Module,
    batches: Batches,
    *,
    device: torch.device,
    discrimination: HeldOutDiscrimination | None = None,
) -> dict[str, float]:
    """Return every validation metric of `generator` over `batches` of (L_N1HW, ab_N2HW) in [-1, 1].

    `discrimination`, if given, is shown the same photos and outputs.

    The generator runs on `device` in `eval()` mode, without gradients, and is handed back in the
    mode in which each of its layers came, also after an error. Batches may come from any device.
    Raises ValueError if there is no batch.
    """
    metrics = ValidationMetrics()
    training_modes = [(module, module.training) for module in generator.modules()]
    generator.eval()
    try:
        with torch.inference_mode():
            for L_N1HW, ab_N2HW in batches:
                L_N1HW, ab_N2HW = L_N1HW.to(device), ab_N2HW.to(device)
                fake_N2HW = generator(L_N1HW)
                metrics.update(L_N1HW, ab_N2HW, fake_N2HW)
                if discrimination is not None:
                    discrimination.update(L_N1HW, ab_N2HW, fake_N2HW)
    finally:
        for module, training in training_modes:
            module.training = training
    return metrics.compute()


def grey_baseline(batches: Batches) -> dict[str, float]:
    """Return the metrics of the all-grey answer: what any generator has to beat."""
    metrics = ValidationMetrics()
    for L_N1HW, ab_N2HW in batches:
        metrics.update(L_N1HW, ab_N2HW, torch.zeros_like(ab_N2HW))
    return metrics.compute()
