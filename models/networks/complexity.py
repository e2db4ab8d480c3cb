"""How large the two networks are, in closed form: no network is built to answer.

The formulas follow from the layers (see `generator` and `discriminator`); tests compare them with
the built networks.
"""

from __future__ import annotations

from dataclasses import dataclass

#: widest networks of a training and of a bundle
MAX_COMPLEXITY = 1024


def generator_parameters(complexity: int) -> int:
    """Number of trainable parameters of a generator of width `complexity`."""
    return 224 * complexity**2 + 45 * complexity


def discriminator_parameters(complexity: int, image_size: int) -> int:
    """Number of trainable parameters of a discriminator for `image_size` x `image_size` pixels."""
    return discriminator_conv_parameters(complexity) + complexity * image_size**2 + 1


def discriminator_conv_parameters(complexity: int) -> int:
    """The discriminator's parameters without its last linear layer."""
    return 128 * complexity**2 + 37 * complexity


def nearest_discriminator_width(
    parameter_ratio: float, *, generator_complexity: int, image_size: int
) -> int:
    """The discriminator's width that comes nearest to a parameter ratio at `image_size` pixels.

    Nearest is the smallest difference between the ratios, discriminator over generator; of two
    widths that are equally near, the smaller.
    """
    g = generator_parameters(generator_complexity)
    return min(
        range(1, MAX_COMPLEXITY + 1),
        key=lambda width: abs(discriminator_parameters(width, image_size) / g - parameter_ratio),
    )


def generator_multiply_adds(complexity: int, image_size: int) -> int:
    """Multiply-adds of one forward pass of the generator for one photo."""
    c, pixels = complexity, image_size**2
    # A 4x4 kernel costs 16 per pair of channels and output pixel (stride-2 convolution) or input
    # pixel (its transpose); both are the pixels of the smaller side.
    inc, out = 9 * c * pixels, 18 * c * pixels
    downs = sum(16 * c * c * (pixels >> 2 * k) for k in range(1, 6))
    ups = 16 * c * c * (pixels >> 10) + sum(32 * c * c * (pixels >> 2 * k) for k in range(1, 5))
    return inc + downs + ups + out


def discriminator_multiply_adds(complexity: int, image_size: int) -> int:
    """Multiply-adds of one forward pass of the discriminator for one photo."""
    c, pixels = complexity, image_size**2
    inc, linear = 27 * c * pixels, c * pixels
    downs = sum(16 * c * c * (pixels >> 2 * k) for k in range(1, 4))
    ups = 16 * c * c * (pixels >> 6) + sum(32 * c * c * (pixels >> 2 * k) for k in range(1, 3))
    return inc + downs + ups + linear


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """Sizes of a generator/discriminator pair and their ratios (discriminator over generator)."""

    generator_parameters: int
    discriminator_parameters: int
    generator_multiply_adds: int
    discriminator_multiply_adds: int
    parameter_ratio: float
    #: without the discriminator's last linear layer, which is most of it and grows with the side
    conv_parameter_ratio: float
    multiply_add_ratio: float


def network_sizes(
    generator_complexity: int, discriminator_complexity: int, image_size: int
) -> NetworkSizes:
    """Sizes and ratios of a pair of networks at `image_size` pixels a side."""
    g = generator_parameters(generator_complexity)
    d = discriminator_parameters(discriminator_complexity, image_size)
    g_ops = generator_multiply_adds(generator_complexity, image_size)
    d_ops = discriminator_multiply_adds(discriminator_complexity, image_size)
    return NetworkSizes(
        generator_parameters=g,
        discriminator_parameters=d,
        generator_multiply_adds=g_ops,
        discriminator_multiply_adds=d_ops,
        parameter_ratio=d / g,
        conv_parameter_ratio=discriminator_conv_parameters(discriminator_complexity) / g,
        multiply_add_ratio=d_ops / g_ops,
    )
