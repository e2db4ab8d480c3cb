"""Can the discriminator still tell unseen photos from outputs? In more figures than the program's.

As `models.metrics.discrimination` measures it: with the statistics of each batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.metrics.discrimination import auc, batch_statistics

FloatArray = npt.NDArray[np.float64]


class Discrimination(NamedTuple):
    """Of photos that were not trained on."""

    #: chance that a real photo looks more real than a fake one; 0.5 is guessing
    auc: float
    #: mean probability "real"
    probability_real: float
    probability_fake: float


def logits(
    discriminator: nn.Module, L_N1HW: Tensor, ab_N2HW: Tensor, *, batch_size: int
) -> FloatArray:
    """The discriminator's logits of photos in whole batches; what remains is left out."""
    ends = range(batch_size, len(L_N1HW) + 1, batch_size)
    with torch.inference_mode(), batch_statistics(discriminator):
        parts = [
            discriminator(L_N1HW[i - batch_size : i], ab_N2HW[i - batch_size : i]) for i in ends
        ]
    return torch.cat(parts).flatten().double().numpy()


def discrimination(real: FloatArray, fake: FloatArray) -> Discrimination:
    """Sum up the logits of real and of fake photos."""
    return Discrimination(auc(real, fake), _probability(real), _probability(fake))


def _probability(logits: FloatArray) -> float:
    return float((1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))).mean())
