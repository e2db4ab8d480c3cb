"""The adversarial step: one short function per network, and one that orders them.

Shapes: N photos, H and W pixels. L_N1HW (L*/50 - 1) and ab_N2HW (a*/127, b*/127) in [-1, 1].

The losses are those of the original GAN with the non-saturating generator loss (Goodfellow et al.
2014, section 3, https://arxiv.org/abs/1406.2661), mixed with L1 as in the report:
`(1 - f) * reconstruction + f * adversarial`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.networks.discriminator import Discriminator
from models.networks.generator import Generator
from models.training.device import Compute, use_exact_float32
from models.training.optimizer import make_adam
from models.training.settings import TrainingSettings


class StepKind(NamedTuple):
    """What takes part in a step; steps of one kind do the same."""

    #: whether the generator listens to the discriminator (not in pre-training)
    adversarial: bool
    #: whether the discriminator learns (not when it is held out)
    train_discriminator: bool


class StepLosses(NamedTuple):
    """Losses of one step, scalars on the device (reading them would wait for it).

    What did not happen in the step (no discriminator, or held out) is NaN.
    """

    reconstruction: Tensor
    adversarial: Tensor
    total: Tensor
    discriminator_real: Tensor
    discriminator_fake: Tensor
    probability_real: Tensor
    probability_fake: Tensor


class AdversarialPair:
    """Generator and discriminator with their optimizers, and the step that trains both.

    The networks may compute in bfloat16; weights, losses and optimizers keep the batch's float32.
    """

    def __init__(self, settings: TrainingSettings, compute: Compute) -> None:
        self.settings = settings
        self.compute = compute
        use_exact_float32()
        place = {"device": compute.device, "memory_format": compute.memory_format}
        self.generator = Generator.from_settings(settings)
        self.generator.to(**place)  # type: ignore[call-overload]
        if settings.separate_pretraining:
            # A stream of its own: its weights depend neither on the generator's width nor on the
            # seed of the pre-training.
            entropy = np.random.SeedSequence(settings.seed, spawn_key=(1,))
            torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))
        self.discriminator = Discriminator(
            settings.discriminator_complexity,
            image_size=settings.image_size,
            dropout=settings.dropout,
        )
        self.discriminator.to(**place)  # type: ignore[call-overload]
        self.generator_optimizer = make_adam(self.generator, settings.generator_lr, compute)
        self.discriminator_optimizer = make_adam(
            self.discriminator, settings.discriminator_lr, compute
        )
        self._nan = torch.full((), torch.nan, device=compute.device)

    def step(
        self, L_N1HW: Tensor, real_N2HW: Tensor, *, adversarial: bool, train_discriminator: bool
    ) -> StepLosses:
        """Train both networks on one batch; the generator runs once.

        Args:
            L_N1HW: lightness in [-1, 1], on the device and in its memory format.
            real_N2HW: true colours in [-1, 1], likewise.
            adversarial: whether the generator listens to the discriminator (not in pre-training).
            train_discriminator: whether the discriminator learns in this step (hold-out).
        """
        fake_N2HW = self._colorize(L_N1HW)
        judged = (self._nan,) * 4
        if adversarial and train_discriminator:
            judged = self._update_discriminator(L_N1HW, real_N2HW, fake_N2HW.detach())
        generator_losses = self._update_generator(
            L_N1HW, real_N2HW, fake_N2HW, adversarial=adversarial
        )
        return StepLosses(*generator_losses, *judged)

    def _colorize(self, L_N1HW: Tensor) -> Tensor:
        with self.compute.autocast():
            fake_N2HW: Tensor = self.generator(L_N1HW)
        return fake_N2HW.to(L_N1HW.dtype)

    def _judge(self, L_N1HW: Tensor, ab_N2HW: Tensor) -> Tensor:
        with self.compute.autocast():
            logits_N1: Tensor = self.discriminator(L_N1HW, ab_N2HW)
        return logits_N1.to(L_N1HW.dtype)

    def _update_discriminator(
        self, L_N1HW: Tensor, real_N2HW: Tensor, fake_N2HW: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        self.discriminator.requires_grad_(True)
        # Real and fake photos go in separate batches, so that BatchNorm does not mix them.
        logits_real = self._judge(L_N1HW, real_N2HW)
        logits_fake = self._judge(L_N1HW, fake_N2HW)
        loss_real = _cross_entropy(logits_real, 1.0)
        loss_fake = _cross_entropy(logits_fake, 0.0)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(0.5 * (loss_real + loss_fake))
        self.discriminator_optimizer.step()
        return (
            loss_real.detach(),
            loss_fake.detach(),
            logits_real.detach().sigmoid().mean(),
            logits_fake.detach().sigmoid().mean(),
        )

    def _update_generator(
        self, L_N1HW: Tensor, real_N2HW: Tensor, fake_N2HW: Tensor, *, adversarial: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        reconstruction = functional.l1_loss(fake_N2HW, real_N2HW)
        total, adversarial_loss = reconstruction, self._nan
        if adversarial:
            # Frozen: the gradient passes through the discriminator and leaves nothing in it.
            self.discriminator.requires_grad_(False)
            adversarial_loss = _cross_entropy(self._judge(L_N1HW, fake_N2HW), 1.0)
            f = self.settings.adversarial_factor
            total = (1.0 - f) * reconstruction + f * adversarial_loss
        self.generator_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self.generator_optimizer.step()
        return reconstruction.detach(), adversarial_loss.detach(), total.detach()


def _cross_entropy(logits_N1: Tensor, target: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(
        logits_N1, torch.full_like(logits_N1, target)
    )
