from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.ndimage import uniform_filter
from scipy.stats import wasserstein_distance

from models.metrics import distributions
from models.metrics.distributions import (
    AbGaussian,
    ab_hf_ratio,
    ab_moments,
    ab_swd,
    chroma_log_ratio,
    colorfulness,
    frechet_ab,
    hf_energy,
    mean_chroma,
    sample_pixels,
)

seeds = st.integers(0, 2**32 - 1)


def random_ab(seed: int, *, n: int = 1, side: int = 8, scale: float = 30.0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    center = rng.normal(0, scale, (n, 2, 1, 1))
    return torch.from_numpy(
        np.clip(rng.normal(center, scale, (n, 2, side, side)), -120, 120)
    ).float()


# --- colorfulness and chroma


def test_colorfulness_agrees_with_the_formula_on_signed_opponents() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (2, 3, 9, 7))
    expected = []
    for red, green, blue in rgb.astype(float):
        rg, yb = red - green, (red + green) / 2 - blue
        spread, offset = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
        expected.append(spread + 0.3 * offset)
    actual = colorfulness(torch.from_numpy(rgb).float() / 255)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_colorfulness_tells_red_and_green_from_red_alone() -> None:
    # With absolute opponents, as often copied, both would score the same.
    red, green = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    alone = red.reshape(1, 3, 1, 1).repeat(1, 1, 2, 2)
    mixed = alone.clone()
    mixed[0, :, 0] = green[:, None]
    assert colorfulness(mixed) > 2 * colorfulness(alone)


def test_grey_has_no_colorfulness() -> None:
    assert colorfulness(torch.rand(1, 1, 8, 8).repeat(2, 3, 1, 1)).tolist() == [0.0, 0.0]


def test_chroma() -> None:
    ab = torch.zeros(1, 2, 2, 2)
    ab[0, :, 0, 0] = torch.tensor([3.0, -4.0])
    assert mean_chroma(ab).item() == pytest.approx(5 / 4)
    assert chroma_log_ratio(20.0, 10.0) == pytest.approx(-math.log(2))
    assert chroma_log_ratio(10.0, 0.0) == pytest.approx(math.log(0.1 / 10))
    assert chroma_log_ratio(0.0, 0.0) == 0.0
    assert math.isnan(chroma_log_ratio(10.0, math.nan))


# --- sliced Wasserstein distance


def test_swd_agrees_with_scipy_along_each_direction() -> None:
    real, fake = random_ab(1, n=2), random_ab(2, n=2)
    expected = []
    for x, y in zip(real.flatten(2).numpy(), fake.flatten(2).numpy(), strict=True):
        directions = [(math.cos(i * math.pi / 8), math.sin(i * math.pi / 8)) for i in range(8)]
        distances = [wasserstein_distance(np.dot(d, x), np.dot(d, y)) for d in directions]
        expected.append(np.mean(distances))
    np.testing.assert_allclose(ab_swd(real, fake), expected, atol=1 / 128)


@settings(deadline=None, max_examples=30)
@given(seeds, seeds, seeds)
def test_swd_is_a_distance(one: int, two: int, three: int) -> None:
    x, y, z = random_ab(one), random_ab(two), random_ab(three)
    assert ab_swd(x, x) == 0
    assert ab_swd(x, y) == ab_swd(y, x)
    assert ab_swd(x, z) <= ab_swd(x, y) + ab_swd(y, z) + 1e-3


@settings(deadline=None, max_examples=30)
@given(seeds, st.randoms(use_true_random=False))
def test_swd_does_not_see_where_a_color_is(seed: int, random: object) -> None:
    real, fake = random_ab(seed), random_ab(seed + 1)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(seed % 2**31))
    moved = fake.flatten(2)[..., order].reshape(fake.shape)
    torch.testing.assert_close(ab_swd(real, moved), ab_swd(real, fake))
    assert ab_swd(fake, moved) == 0


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(-60, 60), st.floats(-60, 60))
def test_swd_of_a_shift_is_the_shift_seen_from_all_sides(seed: int, a: float, b: float) -> None:
    real = random_ab(seed, scale=15.0)
    moved = real + torch.tensor([a, b]).reshape(1, 2, 1, 1)
    directions = (i * math.pi / 8 for i in range(8))
    expected = np.mean([abs(a * math.cos(t) + b * math.sin(t)) for t in directions])
    assert ab_swd(real, moved).item() == pytest.approx(expected, abs=0.01)


def test_swd_samples_large_photos_fairly(monkeypatch: pytest.MonkeyPatch) -> None:
    smooth = torch.nn.functional.interpolate(random_ab(5, n=4), size=160, mode="bicubic")
    fake = 0.6 * smooth + 3.0
    sampled = ab_swd(smooth, fake)
    monkeypatch.setattr(distributions, "MAX_PIXELS", 160 * 160)
    torch.testing.assert_close(sampled, ab_swd(smooth, fake), rtol=0.03, atol=0)


def test_the_sample_sees_every_phase_of_a_checkerboard() -> None:
    pixels = sample_pixels(256, 256)
    assert len(pixels) == len(pixels.unique()) == 4096
    for phase in (pixels % 2, pixels // 256 % 2, pixels % 4, pixels // 256 % 4):
        counts = phase.bincount()
        assert counts.min() > 0.85 * counts.float().mean()
    assert torch.equal(sample_pixels(64, 64), torch.arange(4096))
    assert torch.equal(pixels, sample_pixels(256, 256))


def test_swd_of_nan_is_nan_even_outside_the_sample() -> None:
    ab = random_ab(0, n=2, side=128)
    left_out = set(range(128 * 128)) - set(sample_pixels(128, 128).tolist())
    broken = ab.clone()
    broken[1, 0].view(-1)[min(left_out)] = torch.nan
    assert ab_swd(ab, broken).isnan().tolist() == [False, True]
    assert ab_swd(broken, ab).isnan().tolist() == [False, True]


# --- Frechet distance


def gaussian(ab_N2HW: torch.Tensor) -> AbGaussian:
    return AbGaussian.from_moments(*ab_moments(ab_N2HW.double()).mean(dim=0).tolist())


def test_moments_fit_the_gaussian_of_all_pixels() -> None:
    ab = random_ab(3, n=4)
    pixels = ab.permute(1, 0, 2, 3).reshape(2, -1).double().numpy()
    fitted, covariance = gaussian(ab), np.cov(pixels, bias=True)
    assert (fitted.mean_a, fitted.mean_b) == pytest.approx(tuple(pixels.mean(axis=1)))
    assert fitted.variance_a == pytest.approx(covariance[0, 0])
    assert fitted.variance_b == pytest.approx(covariance[1, 1])
    assert fitted.covariance == pytest.approx(covariance[0, 1])


@settings(deadline=None, max_examples=30)
@given(seeds, seeds)
def test_frechet_agrees_with_the_matrix_square_root(one: int, two: int) -> None:
    real, fake = gaussian(random_ab(one)), gaussian(random_ab(two))
    first, second = (
        np.array([[g.variance_a, g.covariance], [g.covariance, g.variance_b]]) for g in (real, fake)
    )
    means = (fake.mean_a - real.mean_a) ** 2 + (fake.mean_b - real.mean_b) ** 2
    expected = means + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert frechet_ab(real, fake) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert frechet_ab(real, fake) == pytest.approx(frechet_ab(fake, real))
    assert frechet_ab(real, real) == pytest.approx(0, abs=1e-9)


def test_frechet_against_one_color_is_what_is_missing() -> None:
    real = gaussian(random_ab(7))
    one_color = AbGaussian.from_moments(0.0, 0.0, 0.0, 0.0, 0.0)
    expected = real.mean_a**2 + real.mean_b**2 + real.variance_a + real.variance_b
    assert frechet_ab(real, one_color) == pytest.approx(expected)
    assert frechet_ab(one_color, one_color) == 0
    assert math.isnan(frechet_ab(real, AbGaussian.from_moments(*[math.nan] * 5)))


# --- fine detail


def test_hf_energy_agrees_with_a_box_filter() -> None:
    ab = random_ab(9, n=2)
    expected = []
    for photo in ab.double().numpy():
        detail = np.stack([channel - uniform_filter(channel, 3) for channel in photo])
        expected.append((detail[:, 1:-1, 1:-1] ** 2).sum(axis=0).mean())
    np.testing.assert_allclose(hf_energy(ab), expected, rtol=1e-4)


def test_hf_energy_ignores_slopes_and_sees_checkerboards() -> None:
    slope = torch.linspace(-50, 50, 16).repeat(1, 2, 16, 1)
    torch.testing.assert_close(hf_energy(slope), torch.zeros(1), atol=1e-8, rtol=0)
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2 * 10.0
    assert hf_energy(slope + board) > 20


def test_hf_ratio() -> None:
    assert ab_hf_ratio(2.0, 8.0) == 4.0
    assert ab_hf_ratio(0.0, 0.0) == 1.0
    assert ab_hf_ratio(2.0, 0.0) == pytest.approx(0, abs=1e-3)
    assert math.isfinite(ab_hf_ratio(0.0, 100.0))
    assert math.isnan(ab_hf_ratio(2.0, math.nan))


@pytest.mark.parametrize("metric", [mean_chroma, hf_energy])
def test_nan_stays_with_its_photo(metric: object) -> None:
    assert callable(metric)
    ab = random_ab(0, n=2)
    ab[0, 1, 0, 0] = torch.nan
    assert metric(ab).isnan().tolist() == [True, False]
