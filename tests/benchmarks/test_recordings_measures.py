"""The measures of the recordings: distance of sets, judge, discrimination, partition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.recordings.discrimination import discrimination, logits
from benchmarks.recordings.judge import kernel_distance, paired_distance
from benchmarks.recordings.ladder import turn
from benchmarks.recordings.partition import assign, from_codes, to_codes
from benchmarks.recordings.set_swd import (
    VARIANTS,
    SetSwd,
    pixel_vectors,
    random_directions,
)
from models.metrics.discrimination import batch_statistics
from models.metrics.gamut import displayed_colors
from models.metrics.set_swd import grid_sample
from models.networks.blocks import down_block


def _photos(n: int, side: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    L_N1HW = 2.0 * torch.rand(n, 1, side, side, generator=random) - 1.0
    real, fake = (0.2 * torch.randn(2, n, 2, side, side, generator=random)).clamp(-1.0, 1.0)
    return L_N1HW, real, fake


def _reference(L_N1HW, real_N2HW, fake_N2HW, dimensions) -> float:
    """Plain loops over photos, pixels and directions."""
    side = L_N1HW.shape[-1]
    half = max(1, round(side / 8 / 2))

    def cloud(ab_N2HW):
        vectors = []
        for lab in displayed_colors(L_N1HW, ab_N2HW).lab.double().numpy():
            for flat in grid_sample(side, side).tolist():
                y, x = divmod(flat, side)
                rows = slice(max(0, y - half), y + half + 1)
                columns = slice(max(0, x - half), x + half + 1)
                blurred = lab[1:, rows, columns].mean(axis=(1, 2))
                place = 1.0 - 2.0 * y / (side - 1)
                near = lab[1:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean(axis=(1, 2))
                detail = 2.0 * (lab[1:, y, x] - near)
                vectors.append(
                    [*lab[1:, y, x], *blurred, 0.5 * lab[0, y, x], 20.0 * place, *detail]
                )
        return np.array(vectors)[:, list(dimensions)]

    real, fake = cloud(real_N2HW), cloud(fake_N2HW)
    return np.mean(
        [
            np.abs(np.sort(fake @ direction) - np.sort(real @ direction)).mean()
            for direction in random_directions(len(dimensions)).double().numpy()
        ]
    )


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("side", [32, 64])
def test_set_swd_equals_a_plain_reference(name, side):
    photos = _photos(5, side, seed=3)
    distance = SetSwd(VARIANTS[name])
    for part in (slice(0, 2), slice(2, 5)):
        distance.update(*(tensor[part] for tensor in photos))
    assert distance.compute() == pytest.approx(_reference(*photos, VARIANTS[name]), rel=1e-4)


def test_set_swd_is_zero_for_equal_sets_and_knows_where_colours_stand():
    L_N1HW, real, _ = _photos(4, 32, seed=0)
    same, upside_down = SetSwd(), SetSwd()
    same.update(L_N1HW, real, real)
    assert same.compute() == 0.0
    # The top of the photos blue and their foot green; the fake the other way round.
    real[:, :, :16], real[:, :, 16:] = -0.1, 0.1
    upside_down.update(L_N1HW, real, -real)
    assert upside_down.compute() > 1.0
    with pytest.raises(ValueError, match="at least one photo"):
        SetSwd().compute()


def test_set_swd_directions_are_unit_vectors_that_cover_all_axes():
    directions = random_directions(6)
    assert directions.shape == (60, 6)
    torch.testing.assert_close(directions.T @ directions, 10.0 * torch.eye(6))


def test_a_nan_among_the_colours_makes_set_swd_nan():
    L_N1HW, real, fake = _photos(2, 32, seed=0)
    fake[:] = torch.nan
    distance = SetSwd()
    distance.update(L_N1HW, real, fake)
    assert np.isnan(distance.compute())


def test_pixel_vectors_have_a_bounded_number_of_pixels():
    L_N1HW, real, _ = _photos(2, 96, seed=0)
    assert pixel_vectors(L_N1HW, real).shape == (2, 256, 8)


def test_kernel_distance_is_unbiased():
    random = torch.Generator().manual_seed(0)
    draws = torch.randn(400, 2, 20, 16, generator=random, dtype=torch.float64)
    distances = np.array([kernel_distance(x, y) for x, y in draws])
    standard_error = distances.std() / len(distances) ** 0.5
    assert abs(distances.mean()) < 3.0 * standard_error
    assert (distances < 0.0).any()
    x, y = draws[0]
    assert kernel_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert kernel_distance(x, y + 1.0) > 3.0 * distances.std()
    assert paired_distance(x, x + 1.0) == pytest.approx(4.0)


def test_kernel_distance_equals_the_sum_over_pairs():
    x, y = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def kernel(u, v):
        return float(u @ v / 3 + 1.0) ** 3

    terms = [
        kernel(x[i], x[j]) + kernel(y[i], y[j]) - kernel(x[i], y[j]) - kernel(x[j], y[i])
        for i, j in itertools.permutations(range(5), 2)
    ]
    assert kernel_distance(x, y) == pytest.approx(1000.0 * np.mean(terms))


class _Judge(nn.Module):
    """Batches with large means look real, if BatchNorm does not take the mean away."""

    def __init__(self) -> None:
        super().__init__()
        self.down = down_block(3)
        self.drop = nn.Dropout(0.9)

    def forward(self, L_N1HW, ab_N2HW):
        return self.drop(self.down(torch.cat([L_N1HW, ab_N2HW], dim=1))).mean(dim=(1, 2, 3))[
            :, None
        ]


def test_discrimination_uses_batch_statistics_and_leaves_the_network_alone():
    torch.manual_seed(0)
    network = _Judge().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    L_N1HW, real, fake = _photos(35, 32, seed=0)
    found = logits(network, L_N1HW, real, batch_size=16)
    assert found.shape == (32,)
    # BatchNorm takes each batch's mean away, so its logits have a mean of 0; dropout is off.
    assert found[:16].mean() == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_array_equal(found, logits(network, L_N1HW, real, batch_size=16))
    result = discrimination(found, logits(network, L_N1HW, fake, batch_size=16))
    assert 0.0 <= result.auc <= 1.0
    assert result.probability_real == pytest.approx((1 / (1 + np.exp(-found))).mean())
    assert all(module.training for module in network.modules())
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    norm = network.down[2]
    with batch_statistics(network):
        assert norm.training
        assert not norm.track_running_stats
        assert not network.drop.training
    assert norm.track_running_stats


def test_partition_goes_by_content():
    hashes = [f"{i:064x}" for i in range(4000)]
    sets = assign(hashes)
    assert sorted(np.concatenate(list(sets.values()))) == list(range(4000))
    shares = {name: len(rows) / 4000 for name, rows in sets.items()}
    assert shares == pytest.approx(
        {"train": 0.8, "choose_a": 0.05, "choose_b": 0.05, "test": 0.1}, abs=0.02
    )
    more = assign([*hashes, *hashes[:1000], *(f"{i:064x}" for i in range(9000, 9100))])
    for name, rows in sets.items():
        assert set(rows) == set(more[name]) & set(range(4000))
        assert {row - 4000 for row in more[name] if 4000 <= row < 5000} == {
            row for row in rows if row < 1000
        }


def test_codes_keep_colours_to_half_a_unit():
    ab_N2HW = 2.0 * torch.rand(2, 2, 8, 8) - 1.0
    assert (from_codes(to_codes(ab_N2HW)) - ab_N2HW).abs().max() <= 0.5001 / 127


def test_turning_hues_keeps_chroma():
    ab_N2HW = torch.randn(1, 2, 4, 4)
    turned = turn(ab_N2HW, 40.0)
    torch.testing.assert_close(turned.norm(dim=1), ab_N2HW.norm(dim=1))
    torch.testing.assert_close(turn(turned, -40.0), ab_N2HW)
