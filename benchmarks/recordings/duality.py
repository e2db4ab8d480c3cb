"""The duality gap: what each network gains when only it trains on.

Two copies of a trained pair go on for a few steps, in one only the discriminator learns, in the
other only the generator; the gap is the adversarial loss (the generator's, on photos that were not
trained on) of the first less that of the second. It is near 0 where neither finds much to gain
and grows with what either could win (Grnarova et al. 2019, "A domain agnostic measure for
monitoring and evaluating GANs", NeurIPS 32, https://arxiv.org/abs/1811.05512). The generator trains
as in its training, on reconstruction too, so the gap of a pair that is far from its end may be
negative.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.recordings.discrimination import logits
from models.metrics.discrimination import batch_statistics
from models.training.loop import Training
from models.training.optimizer import set_learning_rate
from models.training.step import AdversarialPair

#: how far each network trains on, about half an epoch of the landscapes
STEPS = 60


class DualityGap(NamedTuple):
    """Adversarial losses of one set of photos."""

    before: float
    discriminator_trained: float
    generator_trained: float

    @property
    def gap(self) -> float:
        return self.discriminator_trained - self.generator_trained


def duality_gap(
    training: Training, photos: Mapping[str, tuple[Tensor, Tensor]], *, steps: int = STEPS
) -> dict[str, DualityGap]:
    """Measure the gap on each set of photos (L_N1HW, ab_N2HW); the training stays as it is.

    Batches are those of the epoch to come, the same for both networks; at most one epoch of them.
    """
    with torch.random.fork_rng(devices=[]):
        size = training.settings.batch_size
        before = _adversarial_losses(training.pair, photos, size)
        after = {
            learns: _adversarial_losses(_trained_on(training, learns, steps), photos, size)
            for learns in ("discriminator", "generator")
        }
    return {
        name: DualityGap(before[name], after["discriminator"][name], after["generator"][name])
        for name in photos
    }


def _trained_on(training: Training, learns: str, steps: int) -> AdversarialPair:
    """A copy of the pair in which one network has trained on."""
    pair = copy.deepcopy(training.pair)
    if learns == "discriminator":
        # Without a rate Adam leaves the weights alone.
        set_learning_rate(pair.generator_optimizer, 0.0)
    torch.manual_seed(training.settings.seed)
    compute = training.compute
    for draw in itertools.islice(training.batches.draws(training.epoch), steps):
        batch = training.batches.decode(*(compute.move(tensor) for tensor in draw))
        L_N1HW, real_N2HW = (
            tensor.to(compute.device, memory_format=compute.memory_format) for tensor in batch
        )
        pair.step(
            L_N1HW, real_N2HW, adversarial=True, train_discriminator=learns == "discriminator"
        )
    return pair


def _adversarial_losses(
    pair: AdversarialPair, photos: Mapping[str, tuple[Tensor, Tensor]], batch_size: int
) -> dict[str, float]:
    """The generator's adversarial loss as in training: batch statistics and dropout."""
    losses = {}
    for name, (L_N1HW, _) in photos.items():
        torch.manual_seed(0)
        with torch.inference_mode(), batch_statistics(pair.generator, dropout=True):
            parts = L_N1HW.tensor_split(max(1, len(L_N1HW) // batch_size))
            fakes_N2HW = torch.cat([pair.generator(part) for part in parts])
        judged = logits(pair.discriminator, L_N1HW, fakes_N2HW, batch_size=batch_size)
        losses[name] = float(np.logaddexp(0.0, -judged).mean())
    return losses
