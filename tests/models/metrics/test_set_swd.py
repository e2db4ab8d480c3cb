from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from models.metrics.gamut import displayed_colors
from models.metrics.set_swd import (
    grid_sample,
    pixel_vectors,
    random_directions,
    sliced_wasserstein,
)


def photos(seed: int, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    L_N1HW = torch.rand(5, 1, side, side, generator=random) - 0.5
    ab_N2HW = 0.2 * torch.randn(5, 2, side, side, generator=random)
    return L_N1HW, ab_N2HW


def distance(L_N1HW: torch.Tensor, real_N2HW: torch.Tensor, fake_N2HW: torch.Tensor) -> float:
    real, fake = (pixel_vectors(displayed_colors(L_N1HW, ab)) for ab in (real_N2HW, fake_N2HW))
    return sliced_wasserstein(real, fake)


def plain_vectors(lab_3HW: np.ndarray) -> np.ndarray:
    """The vectors of one photo's sampled pixels, one pixel after the other."""
    _, height, width = lab_3HW.shape
    vectors = []
    for flat in grid_sample(height, width).tolist():
        y, x = divmod(flat, width)
        around = lab_3HW[1:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean(axis=(1, 2))
        ab = lab_3HW[1:, y, x]
        place = 20 * (1 - 2 * y / (height - 1))
        vectors.append([*ab, 0.5 * lab_3HW[0, y, x], place, *(2 * (ab - around))])
    return np.array(vectors)


def test_it_is_the_mean_distance_of_plain_projections() -> None:
    L_N1HW, real_N2HW = photos(0)
    _, fake_N2HW = photos(1)
    real, fake = (
        np.concatenate([plain_vectors(lab) for lab in displayed_colors(L_N1HW, ab).lab.numpy()])
        for ab in (real_N2HW, fake_N2HW)
    )
    expected = np.mean(
        [wasserstein_distance(real @ d, fake @ d) for d in random_directions().double().numpy()]
    )
    assert distance(L_N1HW, real_N2HW, fake_N2HW) == pytest.approx(expected, rel=1e-4)


def test_colours_may_change_places_between_photos_but_not_turn_pale_or_noisy() -> None:
    L_N1HW, ab_N2HW = photos(2)
    L_N1HW = L_N1HW[:1].expand_as(L_N1HW)  # equal lightness: photos may swap their colours
    assert distance(L_N1HW, ab_N2HW, ab_N2HW.roll(1, 0)) == pytest.approx(0, abs=1e-4)
    shades = [distance(L_N1HW, ab_N2HW, share * ab_N2HW) for share in (0.75, 0.5, 0.0)]
    assert 0 < shades[0] < shades[1] < shades[2]
    smooth_N2HW = torch.full_like(ab_N2HW, 0.1)
    assert distance(L_N1HW, smooth_N2HW, smooth_N2HW + 0.2 * ab_N2HW) > 1
