"""The closed forms against the design's tables and against the built networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.networks.complexity import (
    discriminator_conv_parameters,
    discriminator_multiply_adds,
    discriminator_parameters,
    generator_multiply_adds,
    generator_parameters,
    nearest_discriminator_width,
    network_sizes,
)
from models.networks.discriminator import Discriminator
from models.networks.generator import Generator


@pytest.mark.parametrize(
    ("width", "count"),
    [
        (16, 58064),
        (24, 130104),
        (30, 202950),
        (38, 325166),
        (46, 476054),
        (52, 608036),
        (72, 1164456),
    ],
)
def test_generators_have_the_parameters_of_the_design(width: int, count: int) -> None:
    assert generator_parameters(width) == count
    assert parameters_of(build_generator(width)) == count


@pytest.mark.parametrize(
    ("width", "side", "count"),
    [
        (4, 256, 264341),
        (14, 256, 943111),
        (16, 256, 1081937),
        (4, 128, 67733),
        (14, 128, 254983),
        (16, 128, 295505),
    ],
)
def test_discriminators_have_the_parameters_of_the_design(
    width: int, side: int, count: int
) -> None:
    discriminator = build_discriminator(width, side)
    assert discriminator_parameters(width, side) == count
    assert parameters_of(discriminator) == count
    linear = parameters_of(discriminator.linear)
    assert discriminator_conv_parameters(width) == count - linear
    assert linear == width * side**2 + 1


@pytest.mark.parametrize(("width", "side"), [(1, 32), (3, 32), (5, 96), (8, 160), (6, 128)])
def test_closed_forms_equal_built_networks(width: int, side: int) -> None:
    generator, discriminator = build_generator(width), build_discriminator(width, side)
    assert generator_parameters(width) == parameters_of(generator)
    assert discriminator_parameters(width, side) == parameters_of(discriminator)
    L_N1HW = torch.zeros(1, 1, side, side)
    ab_N2HW = torch.zeros(1, 2, side, side)
    assert generator_multiply_adds(width, side) == counted(generator, L_N1HW)
    assert discriminator_multiply_adds(width, side) == counted(discriminator, L_N1HW, ab_N2HW)


def test_balance_of_the_reports_final_model() -> None:
    pair = network_sizes(72, 14, 256)
    assert pair.parameter_ratio == pytest.approx(0.81, abs=0.005)
    assert pair.parameter_ratio == pair.discriminator_parameters / pair.generator_parameters
    # At half the side the linear layer, and with it the ratio, is a quarter; the rest stays.
    half = network_sizes(72, 14, 128)
    assert half.parameter_ratio == pytest.approx(254983 / 1164456)
    assert half.conv_parameter_ratio == pair.conv_parameter_ratio == 25606 / 1164456
    assert half.generator_multiply_adds * 4 == pair.generator_multiply_adds
    assert half.multiply_add_ratio == pair.multiply_add_ratio
    assert pair.multiply_add_ratio == pytest.approx(
        pair.discriminator_multiply_adds / pair.generator_multiply_adds
    )


@pytest.mark.parametrize(
    ("generator", "width", "side", "new_side", "expected"),
    [
        # 254983 / 1164456 = 0.219; at 256 pixels widths 3 and 4 make 0.170 and 0.227
        (72, 14, 128, 256, 4),
        # 943111 / 1164456 = 0.810; at 128 pixels widths 42, 43 and 44 make 0.786, 0.810 and 0.833
        (72, 14, 256, 128, 43),
        (30, 4, 128, 128, 4),
        # one is the least there is, however far
        (8, 2, 32, 1024, 1),
    ],
)
def test_the_width_for_another_side_has_the_nearest_ratio(
    generator: int, width: int, side: int, new_side: int, expected: int
) -> None:
    ratio = network_sizes(generator, width, side).parameter_ratio
    found = nearest_discriminator_width(ratio, generator_complexity=generator, image_size=new_side)
    assert found == expected
    distance = abs(network_sizes(generator, found, new_side).parameter_ratio - ratio)
    for other in range(1, 100):
        assert distance <= abs(network_sizes(generator, other, new_side).parameter_ratio - ratio)


def build_generator(width: int) -> Generator:
    return Generator(width).eval()


def build_discriminator(width: int, side: int) -> Discriminator:
    return Discriminator(width, image_size=side).eval()


def parameters_of(network: nn.Module) -> int:
    assert all(parameter.requires_grad for parameter in network.parameters())
    return sum(parameter.numel() for parameter in network.parameters())


def counted(network: nn.Module, *inputs: Tensor) -> int:
    """Multiply-adds of a forward pass, counted layer by layer from what passes through."""
    total = 0

    def count(layer: nn.Module, taken: tuple[Tensor], given: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        # Each value given (or, by a transposed convolution, taken) meets a slice of the weights.
        values = taken[0] if isinstance(layer, nn.ConvTranspose2d) else given
        total += values.numel() * weight.numel() // weight.shape[0]

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network(*inputs)
    return total
