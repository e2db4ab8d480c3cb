"""The UNet discriminator: is this (L, a, b) a real photo?

Shapes: N photos of `image_size` x `image_size` pixels.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from models.networks.blocks import down_block, input_block, last_up_block, up_block
from models.networks.sides import check_side

N_HALVINGS = 3


class Discriminator(nn.Module):
    """Maps L_N1HW and ab_N2HW, both in [-1, 1], to logits_N1 whose sigmoid is the chance of real.

    It has `128 c^2 + 37 c + c d^2 + 1` parameters for width (complexity) c and side d. The last,
    flat linear layer alone has `c d^2 + 1` of them, so its size fixes the image size.
    """

    def __init__(self, complexity: int, *, image_size: int, dropout: float = 0.5) -> None:
        super().__init__()
        check_side(image_size)
        self.complexity = complexity
        self.image_size = image_size
        self.inc = input_block(3, complexity)
        self.downs = nn.ModuleList(down_block(complexity) for _ in range(N_HALVINGS))
        self.ups = nn.ModuleList(
            up_block(complexity if i == 0 else 2 * complexity, complexity, dropout=dropout)
            for i in range(N_HALVINGS - 1)
        )
        self.last_up = last_up_block(2 * complexity, complexity)
        self.linear = nn.Linear(complexity * image_size**2, 1)

    def forward(self, L_N1HW: Tensor, ab_N2HW: Tensor) -> Tensor:
        """Judge photos: (N, 1, H, W) and (N, 2, H, W) to logits (N, 1)."""
        skips: list[Tensor] = []
        x = self.inc(torch.cat([L_N1HW, ab_N2HW], dim=1))
        for down in self.downs:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.ups:
            x = torch.cat([up(x), skips.pop()], dim=1)
        return self._judge(self.last_up(x).flatten(1))

    def _judge(self, x_NK: Tensor) -> Tensor:
        # A sum of c * d^2 terms, 917,000 at width 14 and 256 px: not in bfloat16.
        device = x_NK.device.type  # "meta", too, whose tensors have no contents
        has_autocast = torch.amp.is_autocast_available(device)
        with torch.autocast(device, enabled=False) if has_autocast else nullcontext():
            logits_N1: Tensor = self.linear(x_NK.to(next(self.parameters()).dtype))
        return logits_N1 / self.complexity
