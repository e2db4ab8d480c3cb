from __future__ import annotations

import torch

from models.networks.generator import Generator
from models.training.weight_average import WeightAverage


def train_a_little(generator: Generator) -> None:
    """Change all weights, and the BatchNorm statistics with a pass in `train()` mode."""
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        generator(torch.randn(3, 1, 32, 32))


def test_average_equals_a_plain_loop_also_for_batch_statistics() -> None:
    torch.manual_seed(0)
    generator = Generator(3)
    average = WeightAverage(generator, half_life_images=50)
    plain = {name: value.clone() for name, value in generator.state_dict().items()}
    for step in range(1, 60):
        train_a_little(generator)
        average.schedule(batch_size=10, images_seen=10 * step)
        average.update()
        # The half-life grows to a tenth of the images seen, up to 50 images (at step 50).
        decay = 0.5 ** (10 / min(50.0, 0.1 * 10 * step))
        for name, value in generator.state_dict().items():
            if value.is_floating_point():
                plain[name] = decay * plain[name] + (1 - decay) * value
    state = average.network.state_dict()
    assert "downs.0.2.running_var" in plain
    for name, value in plain.items():
        assert torch.allclose(state[name], value, rtol=1e-5, atol=1e-6), name
        if value.is_floating_point():
            assert not torch.allclose(state[name], generator.state_dict()[name]), name


def test_the_half_life_grows_with_the_share_of_images_seen() -> None:
    torch.manual_seed(0)
    generator = Generator(3)
    average = WeightAverage(generator, half_life_images=10**9, share_of_seen=0.5)
    before = {name: value.clone() for name, value in average.network.named_parameters()}
    train_a_little(generator)
    average.schedule(batch_size=100, images_seen=1000)
    average.update()
    decay = 0.5 ** (100 / 500)
    for name, value in generator.named_parameters():
        moved = average.network.get_parameter(name)
        assert torch.allclose(moved, decay * before[name] + (1 - decay) * value, rtol=1e-5), name


def test_first_weights_fade_quickly() -> None:
    torch.manual_seed(0)
    generator = Generator(3)
    average = WeightAverage(generator, half_life_images=10**9)
    train_a_little(generator)
    average.schedule(batch_size=16, images_seen=16)
    average.update()
    # One step against a half-life of 1.6 images: 2^-10 of the initial weights is left.
    state = average.network.state_dict()
    for name, value in generator.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(state[name], value, atol=0.01), name


def test_the_copy_is_apart_and_never_learns() -> None:
    generator = Generator(3)
    average = WeightAverage(generator, half_life_images=100)
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    addresses = {tensor.data_ptr() for tensor in generator.state_dict().values()}
    assert addresses.isdisjoint(t.data_ptr() for t in average.network.state_dict().values())
    assert all(parameter.requires_grad for parameter in generator.parameters())


def test_averaging_goes_on_after_weights_were_loaded() -> None:
    torch.manual_seed(0)
    generator, saved = Generator(3), Generator(3)
    average = WeightAverage(generator, half_life_images=100)
    average.network.load_state_dict(saved.state_dict())
    train_a_little(generator)
    average.schedule(batch_size=10, images_seen=1000)
    average.update()
    decay = 0.5 ** (10 / 100)
    for name, value in average.network.named_parameters():
        old, new = saved.state_dict()[name], generator.state_dict()[name]
        assert torch.allclose(value, decay * old + (1 - decay) * new, rtol=1e-5, atol=1e-7)
