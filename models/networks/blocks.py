"""The convolution blocks that the generator and the discriminator share (constant width)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAKY_SLOPE = 0.2


class SmoothConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution, then a fixed 3x3 blur: (N, in, H, W) -> (N, out, 2H, 2W).

    A transposed convolution of stride 2 makes the four pixels of each 2x2 cell with four sets of
    weights, so that it can draw patterns with the period of the cell. The blur is binomial (1/4,
    1/2, 1/4), which is zero at the finest pattern that pixels can show (every other one), and has
    no weights. Sources: Zhang 2019, https://arxiv.org/abs/1904.11486; Sugawara, Shiota and Kiya
    2018, https://arxiv.org/abs/1806.02658.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Double both sides."""
        x = super().forward(input, output_size)
        # Made where it is used: a step that is recorded cannot copy from the host.
        taps = 0.5 - 0.25 * torch.arange(-1, 2, dtype=x.dtype, device=x.device).abs()
        kernel = (taps[:, None] * taps).expand(self.out_channels, 1, 3, 3)
        padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
        return functional.conv2d(padded, kernel, groups=self.out_channels)


def input_block(in_channels: int, width: int) -> nn.Sequential:
    """3x3 convolution at full size + LeakyReLU: (N, in, H, W) -> (N, width, H, W)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel_size=3, padding=1, bias=False),
        nn.LeakyReLU(LEAKY_SLOPE),
    )


def down_block(width: int) -> nn.Sequential:
    """4x4 stride-2 convolution, LeakyReLU, BatchNorm: halves both sides."""
    return nn.Sequential(
        nn.Conv2d(width, width, kernel_size=4, stride=2, padding=1, bias=False),
        nn.LeakyReLU(LEAKY_SLOPE),
        nn.BatchNorm2d(width),
    )


def up_block(
    in_channels: int, width: int, *, dropout: float, smooth: bool = False
) -> nn.Sequential:
    """ReLU, 4x4 stride-2 transposed convolution, BatchNorm, Dropout: doubles both sides."""
    return nn.Sequential(
        nn.ReLU(),
        _transposed(in_channels, width, smooth=smooth),
        nn.BatchNorm2d(width),
        nn.Dropout(dropout),
    )


def last_up_block(in_channels: int, width: int, *, smooth: bool = False) -> nn.Sequential:
    """ReLU, transposed convolution, Tanh: back at full size, values in [-1, 1]."""
    return nn.Sequential(
        nn.ReLU(),
        _transposed(in_channels, width, smooth=smooth),
        nn.Tanh(),
    )


def _transposed(in_channels: int, width: int, *, smooth: bool) -> nn.ConvTranspose2d:
    kind = SmoothConvTranspose2d if smooth else nn.ConvTranspose2d
    return kind(in_channels, width, kernel_size=4, stride=2, padding=1, bias=False)
