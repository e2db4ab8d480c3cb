"""Both networks against the design's words, written out with plain functions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from data_pipeline.errors import InputError
from models.networks.blocks import SmoothConvTranspose2d
from models.networks.discriminator import Discriminator
from models.networks.generator import Generator


def plain_unet(x: Tensor, weights: Iterator[Tensor], *, halvings: int) -> Tensor:
    """The part that both networks share, in `train()` mode, without dropout."""
    x = functional.leaky_relu(functional.conv2d(x, next(weights), padding=1), 0.2)
    skips = []
    for _ in range(halvings):
        x = functional.conv2d(x, next(weights), stride=2, padding=1)
        x = plain_batch_norm(functional.leaky_relu(x, 0.2), weights)
        skips.append(x)
    for up in range(halvings):
        if up > 0:
            x = torch.cat([x, skips[halvings - 1 - up]], dim=1)
        x = functional.conv_transpose2d(functional.relu(x), next(weights), stride=2, padding=1)
        x = plain_batch_norm(x, weights) if up < halvings - 1 else x.tanh()
    return x


def plain_batch_norm(x: Tensor, weights: Iterator[Tensor]) -> Tensor:
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    normal = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    return normal * next(weights)[:, None, None] + next(weights)[:, None, None]


def shuffled(network: nn.Module) -> Iterator[Tensor]:
    """Give every weight a value that tells it from the others; return them in order."""
    for parameter in network.parameters():
        parameter.data = 0.3 * torch.randn_like(parameter)
    return iter(list(network.parameters()))


def test_generator_computes_what_the_design_says() -> None:
    torch.manual_seed(0)
    generator = Generator(5, dropout=0.0).double()
    weights = shuffled(generator)
    L_N1HW = torch.rand(3, 1, 64, 96).double() * 2 - 1
    expected = plain_unet(L_N1HW, weights, halvings=5)
    expected = functional.conv2d(expected, next(weights), padding=1).tanh()
    assert next(weights, None) is None
    assert torch.allclose(generator(L_N1HW), expected, rtol=1e-9, atol=1e-12)


def test_smooth_upsampling_is_a_transposed_convolution_and_a_binomial_blur() -> None:
    torch.manual_seed(0)
    layer = SmoothConvTranspose2d(3, 4, kernel_size=4, stride=2, padding=1, bias=False).double()
    x = torch.randn(2, 3, 5, 8).double()
    plain = functional.conv_transpose2d(x, layer.weight, stride=2, padding=1).detach().numpy()
    binomial = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = ndimage.correlate(plain, binomial[None, None], mode="nearest")
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)


def test_smooth_upsampling_makes_no_checkerboard_of_an_even_area() -> None:
    torch.manual_seed(0)
    even = torch.ones(1, 4, 16, 16)
    jagged, smooth = (
        kind(4, 3, kernel_size=4, stride=2, padding=1, bias=False)
        for kind in (nn.ConvTranspose2d, SmoothConvTranspose2d)
    )
    inner = slice(3, -3)  # at the edges both see less
    for layer, checkered in ((jagged, True), (smooth, False)):
        area = layer(even)[0, :, inner, inner].detach()
        assert (area.std(dim=(1, 2)) > 1e-3).all() == checkered
        assert (area.std(dim=(1, 2)) < 1e-6).all() != checkered


def test_smooth_upsampling_keeps_the_weights_of_the_generator() -> None:
    plain, smooth = Generator(5), Generator(5, smooth_upsampling=True)
    smooth.load_state_dict(plain.state_dict())
    assert [*smooth.state_dict()] == [*plain.state_dict()]
    L_N1HW = torch.rand(1, 1, 64, 64) * 2 - 1
    assert not torch.allclose(smooth.eval()(L_N1HW), plain.eval()(L_N1HW))


def test_discriminator_computes_what_the_design_says() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(3, image_size=64, dropout=0.0).double()
    weights = shuffled(discriminator)
    L_N1HW, ab_N2HW = (torch.rand(3, n, 64, 64).double() * 2 - 1 for n in (1, 2))
    expected = plain_unet(torch.cat([L_N1HW, ab_N2HW], dim=1), weights, halvings=3)
    expected = (expected.flatten(1) @ next(weights).T + next(weights)) / 3
    assert next(weights, None) is None
    assert torch.allclose(discriminator(L_N1HW, ab_N2HW), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 32, 32), (1, 64, 160)])
def test_generator_keeps_the_size_and_the_range(shape: tuple[int, int, int]) -> None:
    n_photos, height, width = shape
    ab_N2HW = Generator(3).eval()(100.0 * torch.randn(n_photos, 1, height, width))
    assert ab_N2HW.shape == (n_photos, 2, height, width)
    assert ab_N2HW.abs().max() <= 1.0


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    L_N1HW, ab_N2HW = torch.rand(2, 1, 32, 32), torch.rand(2, 2, 32, 32)
    generator, discriminator = Generator(3, dropout=0.4), Discriminator(3, image_size=32)
    for network, inputs, n_dropouts, p in (
        (generator, (L_N1HW,), 4, 0.4),
        (discriminator, (L_N1HW, ab_N2HW), 2, 0.5),
    ):
        dropouts = [layer for layer in network.modules() if isinstance(layer, nn.Dropout)]
        assert [layer.p for layer in dropouts] == [p] * n_dropouts
        assert not torch.equal(network(*inputs), network(*inputs))
        network.eval()
        assert torch.equal(network(*inputs), network(*inputs))


@pytest.mark.parametrize("side", [48, 100, 0, -32, 31, 64.0, "64", True])
def test_discriminator_refuses_sides_not_divisible_by_32(side: int) -> None:
    with pytest.raises(InputError, match=r"image_size must be a positive multiple of 32 pixels"):
        Discriminator(2, image_size=side)


def test_the_last_sum_of_the_discriminator_is_float32_also_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = Discriminator(2, image_size=32).eval()
    photos = torch.rand(2, 1, 32, 32), torch.rand(2, 2, 32, 32)
    seen: list[torch.Tensor] = []
    network.linear.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(*photos)
    assert logits.dtype == seen[0].dtype == torch.float32
    expected = torch.nn.functional.linear(seen[0], network.linear.weight, network.linear.bias)
    assert torch.equal(logits, expected / 2)
