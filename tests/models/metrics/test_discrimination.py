"""Held-out discrimination: how it is counted, and that it leaves the discriminator alone."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from models.metrics.discrimination import HeldOutDiscrimination, auc, batch_statistics
from models.networks.discriminator import Discriminator
from tests.models.toys import toy_batch

SIDE = 32


def photos(n: int, *, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    L_N1HW = 2.0 * torch.rand(n, 1, SIDE, SIDE, generator=random) - 1.0
    real, fake = (0.2 * torch.randn(2, n, 2, SIDE, SIDE, generator=random)).clamp(-1.0, 1.0)
    return L_N1HW, real, fake


def small_discriminator() -> Discriminator:
    torch.manual_seed(0)
    network = Discriminator(2, image_size=SIDE).train()
    with torch.no_grad():  # running statistics that are not those of a batch
        network(*photos(8, seed=5)[:2])
    return network


def measured(network: nn.Module, *parts: tuple[Tensor, ...], batch_size: int = 8) -> float | None:
    held_out = HeldOutDiscrimination(network, batch_size=batch_size)
    for part in parts:
        held_out.update(*part)
    return held_out.auc()


def test_auc_counts_pairs() -> None:
    random = np.random.default_rng(0)
    positive, negative = random.integers(0, 6, 30) + 1.0, random.integers(0, 6, 20) + 0.0
    difference = positive[:, None] - negative
    wanted = ((difference > 0) + 0.5 * (difference == 0)).mean()
    assert auc(positive, negative) == pytest.approx(wanted)
    assert auc(negative, positive) == pytest.approx(1.0 - wanted)
    assert math.isnan(auc(positive, np.append(negative, np.nan)))


def test_photos_are_judged_as_in_training_but_without_dropout() -> None:
    network = small_discriminator()
    L_N1HW, real, fake = photos(20)
    plain = copy.deepcopy(network)
    for module in plain.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    logits = [
        np.concatenate(
            [plain(L_N1HW[i : i + 8], ab[i : i + 8]).detach().double().flatten() for i in (0, 8)]
        )
        for ab in (real, fake)
    ]
    found = measured(network, (L_N1HW, real, fake))
    # The last four of the 20 photos make no batch.
    assert found == auc(*logits)
    assert measured(network.eval(), (L_N1HW, real, fake)) == found
    in_bfloat16 = torch.autocast("cpu", dtype=torch.bfloat16)
    with in_bfloat16:
        assert measured(network, (L_N1HW, real, fake)) == found


def test_how_the_photos_come_does_not_matter() -> None:
    network, whole = small_discriminator(), photos(20)
    wanted = measured(network, whole)
    for sizes in ((5, 15), (8, 8, 4), (1, 1, 18), (20, 0)):
        parts = zip(*(tensor.split(sizes) for tensor in whole), strict=True)
        assert measured(network, *parts) == wanted


def test_fewer_photos_than_a_batch_are_judged_together() -> None:
    network = small_discriminator()
    assert measured(network, photos(6)) == measured(network, photos(6), batch_size=6)
    assert measured(network, photos(1)) is None
    assert measured(network) is None


def test_what_is_not_finite_is_no_answer() -> None:
    network = small_discriminator()
    with torch.no_grad():
        network.linear.weight.fill_(math.inf)
    assert measured(network, photos(16)) is None


def test_the_discriminator_and_the_random_numbers_are_left_alone() -> None:
    network = small_discriminator()
    network.downs.eval()  # each layer gets its own mode back
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random_state = torch.get_rng_state()
    assert measured(network, photos(16)) is not None
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert [module.training for module in network.modules()] == modes
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with batch_statistics(network):
        assert all(norm.training and not norm.track_running_stats for norm in norms)
    wrong = torch.zeros(16, 9, SIDE, SIDE), *photos(16)[1:]
    with pytest.raises(RuntimeError):
        measured(network, wrong)
    assert all(norm.track_running_stats for norm in norms)
    assert [module.training for module in network.modules()] == modes


def test_a_discriminator_that_has_learnt_tells_unseen_photos() -> None:
    network = small_discriminator()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for seed in range(30):
        L_N1HW, real_N2HW = toy_batch(8, SIDE, seed=seed)
        # Photos in the colours of their negatives.
        sides = ((real_N2HW, -1.0), (-real_N2HW, 1.0))
        losses = [softplus(sign * network(L_N1HW, ab)).mean() for ab, sign in sides]
        optimizer.zero_grad()
        torch.autograd.backward(sum(losses))
        optimizer.step()
    L_N1HW, real_N2HW = toy_batch(32, SIDE, seed=1000)
    found = measured(network, (L_N1HW, real_N2HW, -real_N2HW))
    assert found is not None
    assert found > 0.9
    assert measured(network, (L_N1HW, real_N2HW, real_N2HW)) == 0.5
