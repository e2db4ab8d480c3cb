"""A training goes on where it stopped, whatever the device and memory layout it goes on with."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from models.training.loop import Training
from models.training.optimizer import load_optimizer_state, make_adam, optimizer_state
from tests.models.toys import ToyBatches, cpu, tiny_settings

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("here", LAYOUTS)
@pytest.mark.parametrize("there", LAYOUTS)
def test_a_state_of_another_layout_is_taken_over(
    there: torch.memory_format, here: torch.memory_format
) -> None:
    # Without dropout, whose masks follow the order of memory.
    settings = tiny_settings(dropout=0.0, adversarial_factor=0.5)
    straight = Training(settings, ToyBatches(settings, steps=1), cpu(memory_format=there))
    list(straight.run_epoch())
    state = copy.deepcopy(straight.state_dict())
    moved = Training(settings, ToyBatches(settings, steps=1), cpu(memory_format=here))
    moved.load_state_dict(state)
    for training in (straight, moved):
        list(training.run_epoch())
    expected = straight.state_dict()
    for network in ("generator", "discriminator", "average"):
        for name, tensor in moved.state_dict()[network].items():
            assert torch.allclose(tensor, expected[network][name], atol=1e-5), name
    for optimizer in (moved.pair.generator_optimizer, moved.pair.discriminator_optimizer):
        for weights, moments in optimizer.state.items():
            assert moments["exp_avg"].stride() == weights.stride()


def test_how_to_compute_is_not_taken_over() -> None:
    layer, batch = torch.nn.Linear(3, 2), torch.ones(4, 3)
    fused = make_adam(layer, 0.1, cpu())
    layer(batch).sum().backward()
    fused.step()
    state = optimizer_state(fused)
    other = copy.deepcopy(layer)
    unfused = torch.optim.Adam(other.parameters(), lr=0.5, fused=False)
    load_optimizer_state(unfused, state)
    (group,) = unfused.param_groups
    assert (group["fused"], group["lr"]) == (False, 0.5)
    assert unfused.state[other.weight]["step"] == 1
    assert torch.equal(unfused.state[other.weight]["exp_avg"], fused.state[layer.weight]["exp_avg"])
    # What is written is plain, and what is read stays the tensor that recorded steps look at.
    capturing = make_adam(other, 0.1, replace(cpu(), captures=True))
    rate = capturing.param_groups[0]["lr"]
    load_optimizer_state(capturing, state)
    assert capturing.param_groups[0]["lr"] is rate
    assert optimizer_state(capturing)["param_groups"][0]["lr"] == 0.1


def test_a_state_of_other_networks_is_refused() -> None:
    one = make_adam(torch.nn.Linear(3, 2), 0.1, cpu())
    other = make_adam(torch.nn.Linear(3, 2, bias=False), 0.1, cpu())
    with pytest.raises(ValueError, match="same layers"):
        load_optimizer_state(other, optimizer_state(one))


def test_steps_are_those_of_pytorchs_adam() -> None:
    layers = [torch.nn.Linear(3, 2)]
    layers.append(copy.deepcopy(layers[0]))
    optimizers = [
        make_adam(layers[0], 0.1, cpu()),
        torch.optim.Adam(layers[1].parameters(), lr=0.1, fused=True),
    ]
    for step in range(3):
        for layer, optimizer in zip(layers, optimizers, strict=True):
            layer(torch.linspace(-1, 1, 12).view(4, 3) + step).square().sum().backward()
            optimizer.step()
            assert not any(
                weights.requires_grad for weights in optimizer.state[layer.weight].values()
            )
            optimizer.zero_grad(set_to_none=True)
            assert layer.weight.grad is None
    assert torch.equal(layers[0].weight, layers[1].weight)
    assert torch.equal(layers[0].bias, layers[1].bias)
    assert layers[0].weight.requires_grad
    ours, theirs = (optimizer.state_dict() for optimizer in optimizers)
    assert ours["param_groups"] == theirs["param_groups"]
    assert torch.equal(ours["state"][0]["exp_avg_sq"], theirs["state"][0]["exp_avg_sq"])
