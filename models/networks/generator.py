"""The UNet generator: lightness in, a* and b* out.

Shapes: N photos, H and W pixels, both divisible by 32 (five halvings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from models.networks.blocks import down_block, input_block, last_up_block, up_block

if TYPE_CHECKING:
    from models.bundle.generator_config import GeneratorSettings
    from models.training.settings import TrainingSettings

N_HALVINGS = 5


class Generator(nn.Module):
    """Maps L_N1HW in [-1, 1] to ab_N2HW in [-1, 1] (a*/127, b*/127).

    It has `224 c^2 + 45 c` parameters for width (complexity) c, also with `smooth_upsampling`,
    which blurs what the transposed convolutions make (`blocks.SmoothConvTranspose2d`).
    """

    def __init__(
        self, complexity: int, *, dropout: float = 0.5, smooth_upsampling: bool = False
    ) -> None:
        super().__init__()
        self.complexity = complexity
        self.smooth_upsampling = smooth_upsampling
        self.inc = input_block(1, complexity)
        self.downs = nn.ModuleList(down_block(complexity) for _ in range(N_HALVINGS))
        self.ups = nn.ModuleList(
            up_block(
                complexity if i == 0 else 2 * complexity,
                complexity,
                dropout=dropout,
                smooth=smooth_upsampling,
            )
            for i in range(N_HALVINGS - 1)
        )
        self.last_up = last_up_block(2 * complexity, complexity, smooth=smooth_upsampling)
        self.out = nn.Sequential(
            nn.Conv2d(complexity, 2, kernel_size=3, padding=1, bias=False), nn.Tanh()
        )

    @classmethod
    def from_settings(cls, settings: TrainingSettings | GeneratorSettings) -> Self:
        """The generator of a training or of a bundle, with fresh weights."""
        return cls(
            settings.generator_complexity,
            dropout=settings.dropout,
            smooth_upsampling=settings.smooth_upsampling,
        )

    def forward(self, L_N1HW: Tensor) -> Tensor:
        """Colour photos: (N, 1, H, W) to (N, 2, H, W)."""
        skips: list[Tensor] = []
        x = self.inc(L_N1HW)
        for down in self.downs:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.ups:
            x = torch.cat([up(x), skips.pop()], dim=1)
        output: Tensor = self.out(self.last_up(x))
        return output
