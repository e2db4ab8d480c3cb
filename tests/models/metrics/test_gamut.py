from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from models.metrics.gamut import displayed_colors


def scaled(lab_N3HW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return lab_N3HW[:, :1] / 50 - 1, lab_N3HW[:, 1:] / 127


def random_photo_lab(seed: int = 0) -> torch.Tensor:
    rgb = np.random.default_rng(seed).random((2, 16, 16, 3))
    return torch.from_numpy(rgb2lab(rgb)).float().permute(0, 3, 1, 2)


def test_colors_that_a_screen_has_are_kept_bit_for_bit() -> None:
    lab = random_photo_lab()
    lab = torch.cat([(lab[:, :1] / 50 - 1 + 1) * 50, lab[:, 1:] / 127 * 127], dim=1)
    assert torch.equal(displayed_colors(*scaled(lab)).lab, lab)


def test_grey_of_every_lightness_stays_grey() -> None:
    lightness = torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)
    colors = displayed_colors(lightness, torch.zeros(1, 2, 16, 16))
    assert torch.equal(colors.ab, torch.zeros(1, 2, 16, 16))
    assert (colors.rgb.amax(dim=1) - colors.rgb.amin(dim=1)).max() < 1e-4


def test_other_colors_are_clipped_as_scikit_image_clips_them() -> None:
    rng = np.random.default_rng(1)
    lab = np.stack([rng.uniform(0, 100, 9000), *rng.uniform(-127, 127, (2, 9000))], axis=-1)
    # scikit-image clips negative Z as well, which no screen does.
    positive_z = (lab[:, 0] + 16) / 116 >= lab[:, 2] / 200
    lab = lab[positive_z][:4096].reshape(1, 64, 64, 3)
    rgb = lab2rgb(lab)
    expected = rgb2lab(rgb)
    colors = displayed_colors(*scaled(torch.from_numpy(lab).permute(0, 3, 1, 2)))
    np.testing.assert_allclose(colors.rgb.permute(0, 2, 3, 1), rgb, atol=2e-4)
    # Colours up to 1e-4 (linear light) outside keep their own Lab: near black that is the most.
    np.testing.assert_allclose(colors.lab.permute(0, 2, 3, 1), expected, atol=0.35)
    assert np.abs(colors.lab.permute(0, 2, 3, 1).numpy() - expected).mean() < 2e-3


@settings(deadline=None, max_examples=50)
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_clipping_twice_changes_nothing(L: float, a: float, b: float) -> None:
    lightness, ab = torch.full((1, 1, 1, 1), L), torch.tensor([a, b]).reshape(1, 2, 1, 1)
    once = displayed_colors(lightness, ab).lab
    twice = displayed_colors(*scaled(once)).lab
    torch.testing.assert_close(twice, once, atol=2e-3, rtol=1e-4)


def test_nan_stays_nan() -> None:
    ab = torch.zeros(1, 2, 2, 2)
    ab[0, 0, 1, 1] = torch.nan
    colors = displayed_colors(torch.zeros(1, 1, 2, 2), ab)
    assert colors.rgb[0, :, 1, 1].isnan().any()
    assert colors.lab[0, :, 1, 1].isnan().any()
    assert not colors.lab[0, :, 0].isnan().any()
