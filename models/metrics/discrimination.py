"""Held-out discrimination: can the discriminator still tell unseen photos from outputs?

Its BatchNorm layers use the statistics of the batch, as in training, where real and fake photos go
in separate batches; in evaluation mode the running means of both mixed make it say the opposite.
Nothing of the network changes, and nothing is drawn: dropout is off.

Shapes: N photos, H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

FloatArray = npt.NDArray[np.float64]


class HeldOutDiscrimination:
    """Shows a discriminator photos and outputs with `update`, and answers with `auc`.

    Photos are judged in batches of `batch_size`, however they come; what remains at the end is left
    out, unless it is all there is.
    """

    def __init__(self, discriminator: nn.Module, *, batch_size: int) -> None:
        self._discriminator = discriminator
        self._batch_size = batch_size
        #: L, real ab and fake ab of less than a batch
        self._waiting: tuple[Tensor, ...] = ()
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def update(self, L_N1HW: Tensor, real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> None:
        """Add N photos: L in [-1, 1] (`L/50 - 1`), real and fake ab in [-1, 1] (`/127`).

        They lie on the discriminator's device.
        """
        added: tuple[Tensor, ...] = (L_N1HW, real_ab_N2HW, fake_ab_N2HW)
        if self._waiting:
            added = tuple(torch.cat(pair) for pair in zip(self._waiting, added, strict=True))
        whole = len(added[0]) // self._batch_size * self._batch_size
        for start in range(0, whole, self._batch_size):
            self._judge(*(tensor[start : start + self._batch_size] for tensor in added))
        self._waiting = tuple(tensor[whole:] for tensor in added)

    def _judge(self, L_N1HW: Tensor, real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> None:
        # All digits, like the metrics: the caller may run its networks in bfloat16.
        exactly = torch.autocast(L_N1HW.device.type, enabled=False)
        with torch.inference_mode(), exactly, batch_statistics(self._discriminator):
            self._real.append(self._discriminator(L_N1HW, real_ab_N2HW).flatten())
            self._fake.append(self._discriminator(L_N1HW, fake_ab_N2HW).flatten())

    def auc(self) -> float | None:
        """How often an unseen photo looks more real than an output: 0.5 is guessing, 1 always.

        None where there were fewer than two photos, or a logit was not finite.
        """
        if not self._real and len(self._waiting[0] if self._waiting else ()) >= 2:
            self._judge(*self._waiting)
        if not self._real:
            return None
        real, fake = (torch.cat(logits).cpu().double() for logits in (self._real, self._fake))
        value = auc(real.numpy(), fake.numpy())
        return value if math.isfinite(value) else None


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


def auc(positive: FloatArray, negative: FloatArray) -> float:
    """Area under the ROC curve: the share of pairs in the right order, ties counting half.

    NaN where a value is not finite. Source: the Mann-Whitney statistic, Hanley and McNeil 1982,
    https://doi.org/10.1148/radiology.143.1.7063747.
    """
    if not (np.isfinite(positive).all() and np.isfinite(negative).all()):
        return math.nan
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / (2 * len(negative)))
