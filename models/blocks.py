"""The convolution blocks that the generator and the discriminator share (constant width)."""

from __future__ import annotations

from torch import nn

LEAKY_SLOPE = 0.2


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


def up_block(in_channels: int, width: int, *, dropout: float) -> nn.Sequential:
    """ReLU, 4x4 stride-2 transposed convolution, BatchNorm, Dropout: doubles both sides."""
    return nn.Sequential(
        nn.ReLU(),
        nn.ConvTranspose2d(in_channels, width, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.Dropout(dropout),
    )


def last_up_block(in_channels: int, width: int) -> nn.Sequential:
    """ReLU, transposed convolution, Tanh: back at full size, values in [-1, 1]."""
    return nn.Sequential(
        nn.ReLU(),
        nn.ConvTranspose2d(in_channels, width, kernel_size=4, stride=2, padding=1, bias=False),
        nn.Tanh(),
    )
