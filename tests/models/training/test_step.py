"""The adversarial step against a straightforward reference, and against each known trap."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.step import AdversarialPair, StepLosses
from tests.models.toys import cpu, differences, needs_bfloat16, tiny_settings, toy_batch


def new_pair(*, contiguous: bool = False, **changes: Any) -> AdversarialPair:
    torch.manual_seed(1)
    layout = torch.contiguous_format if contiguous else torch.channels_last
    return AdversarialPair(tiny_settings(**changes), cpu(memory_format=layout))


def batches(n: int) -> list[tuple[Tensor, Tensor]]:
    return [toy_batch(4, 32, seed=i) for i in range(n)]


class PlainPair:
    """The textbook's way: one network after the other, nothing frozen, plain Adam."""

    def __init__(self, pair: AdversarialPair) -> None:
        self.generator = copy.deepcopy(pair.generator)
        self.discriminator = copy.deepcopy(pair.discriminator)
        settings = pair.settings
        self.factor = settings.adversarial_factor
        plain = {"foreach": False, "fused": False}
        self.adam_g = torch.optim.Adam(
            self.generator.parameters(), lr=settings.generator_lr, **plain
        )
        self.adam_d = torch.optim.Adam(
            self.discriminator.parameters(), lr=settings.discriminator_lr, **plain
        )

    def step(self, L: Tensor, real: Tensor, *, train_discriminator: bool) -> list[Tensor]:
        fake = self.generator(L)
        judged: list[Tensor] = []
        if train_discriminator:
            p_real = self.discriminator(L, real).sigmoid()
            p_fake = self.discriminator(L, fake.detach()).sigmoid()
            loss_real, loss_fake = -p_real.log().mean(), -(1 - p_fake).log().mean()
            self.adam_d.zero_grad()
            ((loss_real + loss_fake) / 2).backward()
            self.adam_d.step()
            judged = [loss_real, loss_fake, p_real.mean(), p_fake.mean()]
        reconstruction = (fake - real).abs().mean()
        adversarial = -self.discriminator(L, fake).sigmoid().log().mean()
        total = (1 - self.factor) * reconstruction + self.factor * adversarial
        self.adam_g.zero_grad()
        total.backward()
        self.adam_g.step()
        return [reconstruction, adversarial, total, *judged]


@pytest.mark.parametrize("factor", [0.1, 0.9, 1.0])
def test_steps_equal_the_plain_reference(factor: float) -> None:
    # In float64, where rounding cannot pile up: Adam makes whole steps of tiny gradients.
    pair = new_pair(contiguous=True, adversarial_factor=factor)
    pair.generator.double()
    pair.discriminator.double()
    plain = PlainPair(pair)
    for number, (L, real) in enumerate(batches(8)):
        L, real, train = L.double(), real.double(), number % 3 != 2
        torch.manual_seed(number)
        losses = pair.step(L, real, adversarial=True, train_discriminator=train)
        torch.manual_seed(number)
        expected = plain.step(L, real, train_discriminator=train)
        assert torch.allclose(
            torch.stack(losses[: len(expected)]), torch.stack(expected), rtol=1e-10
        )
        assert all(loss.isnan() for loss in losses[len(expected) :])
    assert_close(pair.generator, plain.generator)
    assert_close(pair.discriminator, plain.discriminator)


def test_float32_equals_the_plain_reference_for_two_steps() -> None:
    pair = new_pair(contiguous=True)
    plain = PlainPair(pair)
    for number, (L, real) in enumerate(batches(2)):
        torch.manual_seed(number)
        losses = pair.step(L, real, adversarial=True, train_discriminator=True)
        torch.manual_seed(number)
        expected = plain.step(L, real, train_discriminator=True)
        assert torch.allclose(torch.stack(losses), torch.stack(expected), rtol=1e-4)


def assert_close(one: nn.Module, other: nn.Module) -> None:
    """All weights and BatchNorm statistics agree up to the rounding of float64."""
    others = other.state_dict()
    for name, tensor in one.state_dict().items():
        assert torch.allclose(tensor, others[name], rtol=1e-8, atol=1e-10), name


def test_channels_last_changes_nothing_but_rounding() -> None:
    # Dropout draws its masks in the order of memory, so it is left out.
    one, other = (new_pair(contiguous=c, dropout=0.0) for c in (True, False))
    for L, real in batches(4):
        expected = one.step(L, real, adversarial=True, train_discriminator=True)
        losses = other.step(L, real, adversarial=True, train_discriminator=True)
        assert torch.allclose(torch.stack(losses), torch.stack(expected), rtol=1e-3)


@pytest.mark.parametrize(
    ("adversarial", "train", "passes"),
    [(True, True, (1, 3)), (True, False, (1, 1)), (False, True, (1, 0)), (False, False, (1, 0))],
)
def test_the_generator_runs_once_a_step(
    adversarial: bool, train: bool, passes: tuple[int, int]
) -> None:
    pair = new_pair()
    calls = {"generator": 0, "discriminator": 0}
    for name in calls:

        def count(*_: Any, name: str = name) -> None:
            calls[name] += 1

        getattr(pair, name).register_forward_hook(count)
    pair.step(*batches(1)[0], adversarial=adversarial, train_discriminator=train)
    assert (calls["generator"], calls["discriminator"]) == passes


def test_neither_update_touches_the_other_network() -> None:
    pair = new_pair(adversarial_factor=0.5)
    seen: list[str] = []

    def discriminator_learnt(*_: Any) -> None:
        seen.append("discriminator")
        assert differences(snapshot(pair.generator), at_start) == []
        assert all(parameter.grad is None for parameter in pair.generator.parameters())
        after_discriminator.update(snapshot(pair.discriminator))
        gradients.extend(gradients_of(pair.discriminator))

    def generator_learnt(*_: Any) -> None:
        seen.append("generator")
        assert differences(snapshot(pair.generator), at_start) != []
        assert differences(snapshot(pair.discriminator), after_discriminator) == []
        assert differences(gradients_of(pair.discriminator), gradients) == []

    pair.discriminator_optimizer.register_step_post_hook(discriminator_learnt)
    pair.generator_optimizer.register_step_post_hook(generator_learnt)
    for L, real in batches(3):
        pair.generator.zero_grad(set_to_none=True)
        at_start = snapshot(pair.generator)
        after_discriminator: dict[str, Tensor] = {}
        gradients: list[Tensor] = []
        pair.step(L, real, adversarial=True, train_discriminator=True)
    assert seen == ["discriminator", "generator"] * 3


def test_a_held_out_discriminator_gets_no_gradient_and_keeps_its_weights() -> None:
    pair = new_pair(adversarial_factor=0.5)
    before = snapshot(pair.discriminator)
    for L, real in batches(3):
        losses = pair.step(L, real, adversarial=True, train_discriminator=False)
        assert losses.adversarial.isfinite()
        assert torch.stack(losses[3:]).isnan().all()
    assert differences(snapshot(pair.discriminator), before) == []
    assert all(parameter.grad is None for parameter in pair.discriminator.parameters())
    assert pair.discriminator_optimizer.state_dict()["state"] == {}


def test_without_the_discriminator_it_is_plain_l1_training() -> None:
    pair = new_pair(contiguous=True, adversarial_factor=0.9)
    pair.generator.double()
    untouched = copy.deepcopy(pair.discriminator.state_dict())
    generator = copy.deepcopy(pair.generator)
    adam = torch.optim.Adam(generator.parameters(), lr=pair.settings.generator_lr, foreach=False)
    for number, (L, real) in enumerate(batches(5)):
        L, real = L.double(), real.double()
        torch.manual_seed(number)
        losses = pair.step(L, real, adversarial=False, train_discriminator=True)
        torch.manual_seed(number)
        adam.zero_grad()
        expected = functional.l1_loss(generator(L), real)
        expected.backward()
        adam.step()
        assert losses.reconstruction == losses.total
        assert torch.allclose(losses.total, expected, rtol=1e-10)
        assert all(loss.isnan() for loss in (losses.adversarial, *losses[3:]))
    assert_close(pair.generator, generator)
    # BatchNorm statistics included: nothing went through it.
    assert differences(pair.discriminator.state_dict(), untouched) == []


def test_factor_one_ignores_the_true_colours_in_the_generators_pass() -> None:
    one, other = new_pair(adversarial_factor=1.0), new_pair(adversarial_factor=1.0)
    L, real = batches(1)[0]
    for pair, colours in ((one, real), (other, -real)):
        torch.manual_seed(0)
        pair.step(L, colours, adversarial=True, train_discriminator=False)
    assert differences(snapshot(one.generator), snapshot(other.generator)) == []


def test_losses_carry_no_graph() -> None:
    losses = new_pair().step(*batches(1)[0], adversarial=True, train_discriminator=True)
    assert isinstance(losses, StepLosses)
    assert all(loss.shape == () and loss.grad_fn is None for loss in losses)


@needs_bfloat16
def test_bfloat16_keeps_weights_and_losses_in_float32_and_near_them() -> None:
    torch.manual_seed(1)
    pair = AdversarialPair(tiny_settings(dropout=0.0), cpu(torch.bfloat16))
    exact = new_pair(dropout=0.0)
    assert differences(pair.generator.state_dict(), exact.generator.state_dict()) == []
    for L, real in batches(4):
        losses = pair.step(L, real, adversarial=True, train_discriminator=True)
        expected = exact.step(L, real, adversarial=True, train_discriminator=True)
        assert all(loss.dtype == torch.float32 for loss in losses)
        assert torch.allclose(torch.stack(losses), torch.stack(expected), rtol=0.03)
    for network in (pair.generator, pair.discriminator):
        assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def gradients_of(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]
