"""Can the discriminator still tell unseen photos from outputs?

Its BatchNorm layers use the statistics of the batch, as in training, where real and fake photos go
in separate batches; in evaluation mode the running means of both mixed make it say the opposite.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

FloatArray = npt.NDArray[np.float64]


class Discrimination(NamedTuple):
    """Of photos that were not trained on."""

    #: chance that a real photo looks more real than a fake one; 0.5 is guessing
    auc: float
    #: mean probability "real"
    probability_real: float
    probability_fake: float


@contextmanager
def batch_statistics(network: nn.Module, *, dropout: bool = False) -> Iterator[None]:
    """Let BatchNorm use batch statistics, its running ones left alone; dropout only if asked."""
    modes = [(module, module.training) for module in network.modules()]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    try:
        network.train(dropout)
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        for module, mode in modes:
            module.training = mode


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


def auc(positive: FloatArray, negative: FloatArray) -> float:
    """Area under the ROC curve: the share of pairs in the right order, ties counting half.

    Source: the Mann-Whitney statistic, Hanley and McNeil 1982,
    https://doi.org/10.1148/radiology.143.1.7063747.
    """
    ranks = rankdata(np.concatenate([positive, negative]))
    n = len(positive)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(negative)))


def _probability(logits: FloatArray) -> float:
    return float((1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))).mean())
