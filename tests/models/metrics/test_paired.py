from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from models.metrics.paired import grey_skill, l1, psnr, ssim


def photos(n: int = 3, height: int = 40, width: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    waves = np.sin(np.linspace(0, 9, height))[:, None] + np.cos(np.linspace(0, 7, width))
    real = np.clip(0.5 + 0.2 * waves + rng.normal(0, 0.05, (n, 3, height, width)), 0, 1)
    fake = np.clip(real + rng.normal(0, 0.1, real.shape), 0, 1)
    return torch.from_numpy(real).float(), torch.from_numpy(fake).float()


def test_l1_is_on_the_scale_of_the_training_loss() -> None:
    real = torch.zeros(2, 2, 4, 4)
    fake = real.clone()
    fake[1, 0] = -12.7
    torch.testing.assert_close(l1(real, fake), torch.tensor([0.0, 0.05]))


@pytest.mark.parametrize(
    ("error", "grey_error", "skill"), [(0.0, 0.1, 1.0), (0.1, 0.1, 0.0), (0.2, 0.1, -1.0)]
)
def test_grey_skill(error: float, grey_error: float, skill: float) -> None:
    assert grey_skill(error, grey_error) == pytest.approx(skill)


def test_grey_skill_of_a_set_without_color_is_finite() -> None:
    assert grey_skill(0.0, 0.0) == 1.0
    assert -math.inf < grey_skill(0.5, 0.0) < -1000
    assert math.isnan(grey_skill(math.nan, 0.1))
    assert math.isnan(grey_skill(0.1, math.nan))


def test_psnr_agrees_with_scikit_image() -> None:
    real, fake = photos()
    expected = [
        peak_signal_noise_ratio(x, y, data_range=1)
        for x, y in zip(real.double().numpy(), fake.double().numpy(), strict=True)
    ]
    np.testing.assert_allclose(psnr(real, fake), expected, rtol=1e-5)


def test_psnr_of_identical_photos_is_its_ceiling() -> None:
    real, _ = photos()
    assert psnr(real, real).tolist() == [100.0] * 3


def test_ssim_agrees_with_scikit_image() -> None:
    real, fake = photos()
    expected = [
        structural_similarity(
            x,
            y,
            channel_axis=0,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for x, y in zip(real.double().numpy(), fake.double().numpy(), strict=True)
    ]
    np.testing.assert_allclose(ssim(real, fake), expected, atol=1e-5)


def test_ssim_of_identical_and_of_constant_photos_is_one() -> None:
    real, _ = photos()
    torch.testing.assert_close(ssim(real, real), torch.ones(3))
    flat = torch.full((1, 3, 16, 16), 0.3)
    torch.testing.assert_close(ssim(flat, flat), torch.ones(1))


def test_ssim_names_the_size_it_needs() -> None:
    small = torch.zeros(1, 3, 10, 64)
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, but got 64 x 10"):
        ssim(small, small)


@pytest.mark.parametrize("metric", [l1, psnr, ssim])
def test_nan_stays_with_its_photo(metric: object) -> None:
    assert callable(metric)
    real, fake = photos()
    fake[1, 0, 20, 20] = torch.nan
    assert metric(real, fake).isnan().tolist() == [False, True, False]
