from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.metrics.faults import (
    REGIONS,
    green_kept,
    hue_and_chroma,
    hue_error,
    orange_skies,
    ratio,
)

seeds = st.integers(0, 2**31)


def of_hue(degrees: float, chroma: float, *, side: int = 6) -> Tensor:
    """One photo of one colour, (1, 2, H, W)."""
    angle = math.radians(degrees)
    ab_2 = torch.tensor([chroma * math.cos(angle), chroma * math.sin(angle)])
    return ab_2[None, :, None, None].expand(1, 2, side, side).clone()


def with_lightness(ab_N2HW: Tensor, lightness: float) -> Tensor:
    return torch.cat([torch.full_like(ab_N2HW[:, :1], lightness), ab_N2HW], dim=1)


def random_colors(seed: int, n: int = 3, side: int = 9) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    real, fake = 25.0 * torch.randn(2, n, 2, side, side, generator=random)
    return real, fake


def measure(parts_N2: Tensor) -> float:
    return ratio(*parts_N2.sum(dim=0).tolist())


@pytest.mark.parametrize(
    ("painted", "kept"),
    [
        ((110.0, 30.0), 1.0),  # duller or yellower than it was, but green
        ((165.0, 5.5), 1.0),
        ((80.0, 30.0), 0.0),  # brown
        ((110.0, 4.0), 0.0),  # hardly any colour
        ((0.0, 0.0), 0.0),
        ((250.0, 30.0), 0.0),
    ],
)
def test_green_is_kept_as_green_only(painted: tuple[float, float], kept: float) -> None:
    assert measure(green_kept(of_hue(130, 40), of_hue(*painted))) == kept


@pytest.mark.parametrize("other", [(80.0, 40.0), (130.0, 8.0), (240.0, 40.0)])
def test_what_was_not_green_has_no_part(other: tuple[float, float]) -> None:
    assert math.isnan(measure(green_kept(of_hue(*other), of_hue(130, 40))))
    both = torch.cat([of_hue(*other), of_hue(130, 40)])
    painted = torch.cat([of_hue(130, 40), of_hue(60, 40)])
    painted[1, :, :3] = of_hue(130, 40)[0, :, :3]
    assert measure(green_kept(both, painted)) == pytest.approx(0.5)


@pytest.mark.parametrize("truth", [(250.0, 30.0), (60.0, 5.0), (0.0, 0.0)])
def test_an_orange_blob_in_a_sky_is_counted(truth: tuple[float, float]) -> None:
    real = with_lightness(of_hue(*truth, side=8), 70.0)
    fake = of_hue(250, 20, side=8)
    fake[:, :, :1] = of_hue(60, 30, side=8)[:, :, :1]
    assert measure(orange_skies(real, fake)) == pytest.approx(0.25)  # a row of the upper four
    assert measure(orange_skies(real, torch.zeros_like(fake))) == 0.0
    fake[:, :, 4:] = of_hue(60, 30, side=8)[:, :, 4:]
    assert measure(orange_skies(real, fake)) == pytest.approx(0.25)  # below it is no sky


@pytest.mark.parametrize(("hue", "chroma", "lightness"), [(60.0, 30.0, 70.0), (250.0, 30.0, 30.0)])
def test_sunsets_and_dark_ground_are_no_skies(hue: float, chroma: float, lightness: float) -> None:
    real = with_lightness(of_hue(hue, chroma), lightness)
    assert math.isnan(measure(orange_skies(real, of_hue(60, 40))))


@given(seeds, st.floats(-180, 180), st.floats(0.2, 5))
def test_a_turn_of_all_hues_is_the_error(seed: int, turn: float, faded: float) -> None:
    real, _ = random_colors(seed)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    a, b = real.unbind(dim=1)
    fake = faded * torch.stack([c * a - s * b, s * a + c * b], dim=1)
    grey = hue_and_chroma(fake)[1] < 1.0
    real[grey[:, None].expand_as(real)] = 0.0  # they have no hue and then no weight
    for region in range(len(REGIONS)):
        assert measure(hue_error(real, fake)[:, region]) == pytest.approx(abs(turn), abs=0.02)


@given(seeds)
def test_bounds_symmetry_and_the_two_ends(seed: int) -> None:
    real, fake = random_colors(seed)
    lab = with_lightness(real, 60.0)
    for parts in (green_kept(real, fake), orange_skies(lab, fake)):
        assert (parts >= 0).all()
        assert (parts[:, 0] <= parts[:, 1]).all()
    errors_N3, weights_N3 = hue_error(real, fake).unbind(dim=-1)
    assert (errors_N3 <= 180.0 * weights_N3).all()
    # Mirrored photos and photos in another order have the same.
    mirrored = hue_error(real.flip(-1).flip(0), fake.flip(-1).flip(0)).flip(0)
    assert torch.allclose(mirrored, hue_error(real, fake), rtol=1e-4)
    assert torch.allclose(green_kept(real.flip(-1), fake.flip(-1)), green_kept(real, fake))
    assert measure(green_kept(real, real)) == 1.0
    assert measure(orange_skies(lab, real)) <= measure(orange_skies(lab, of_hue(60, 40, side=9)))
    for region in range(len(REGIONS)):
        assert measure(hue_error(real, real)[:, region]) == 0.0
        assert measure(hue_error(real, 0 * real)[:, region]) == pytest.approx(90.0)


def test_regions_are_thirds_from_the_top() -> None:
    real, fake = of_hue(10, 20, side=7), of_hue(10, 20, side=7)
    fake[:, :, :3] = of_hue(60, 20, side=7)[:, :, :3]
    fake[:, :, 5:] = of_hue(100, 20, side=7)[:, :, 5:]
    found = [measure(hue_error(real, fake)[:, region]) for region in range(3)]
    assert found == pytest.approx([50.0, 0.0, 90.0], abs=1e-3)


def test_nan_in_gives_nan_out() -> None:
    real, fake = random_colors(0)
    fake[1, 0, 4, 4] = math.nan
    assert math.isnan(measure(green_kept(real, fake)))
    assert math.isnan(measure(orange_skies(with_lightness(real, 60.0), fake)))
    assert math.isnan(measure(hue_error(real, fake)[:, 1]))
    assert math.isfinite(measure(hue_error(real, fake)[:, 0]))
