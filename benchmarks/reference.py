"""The plain reference: the report's way of training, as the design describes it.

Two generator passes a step, two discriminator updates, gradients flowing where they are not needed,
float32, default memory layout, unfused Adam; each batch read again with Pillow and converted with
scikit-image.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor, nn

from models.networks.discriminator import Discriminator
from models.networks.generator import Generator


class ReferenceTraining:
    """Generator and discriminator trained the plain way."""

    def __init__(
        self,
        generator_complexity: int,
        discriminator_complexity: int,
        *,
        image_size: int,
        device: torch.device,
    ) -> None:
        self.generator = Generator(generator_complexity).to(device)
        self.discriminator = Discriminator(discriminator_complexity, image_size=image_size).to(
            device
        )
        adam = {"lr": 1e-4, "fused": False, "foreach": False}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **adam)  # type: ignore[arg-type]
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(),
            **adam,  # type: ignore[arg-type]
        )
        self.bce, self.l1 = nn.BCELoss(), nn.L1Loss()

    def step(self, L_N1HW: Tensor, ab_N2HW: Tensor, *, factor: float = 0.1) -> None:
        """Train the discriminator on real and on fake, then the generator."""
        real = torch.sigmoid(self.discriminator(L_N1HW, ab_N2HW))
        self.discriminator_optimizer.zero_grad()
        self.bce(real, torch.ones_like(real)).backward()
        self.discriminator_optimizer.step()

        fake = torch.sigmoid(self.discriminator(L_N1HW, self.generator(L_N1HW)))
        self.discriminator_optimizer.zero_grad()
        self.bce(fake, torch.zeros_like(fake)).backward()
        self.discriminator_optimizer.step()

        fake_N2HW = self.generator(L_N1HW)
        judged = torch.sigmoid(self.discriminator(L_N1HW, fake_N2HW))
        adversarial = self.bce(judged, torch.ones_like(judged))
        total = (1 - factor) * self.l1(fake_N2HW, ab_N2HW) + factor * adversarial
        self.generator_optimizer.zero_grad()
        total.backward()
        self.generator_optimizer.step()


def load_reference_batch(paths: Sequence[Path], image_size: int) -> tuple[Tensor, Tensor]:
    """Read photos with Pillow, squash them and convert with scikit-image."""
    labs = []
    for path in paths:
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB").resize((image_size, image_size)))
        labs.append(rgb2lab(rgb).astype(np.float32).transpose(2, 0, 1))
    lab = torch.from_numpy(np.stack(labs))
    return lab[:, :1] / 50.0 - 1.0, lab[:, 1:] / 127.0
