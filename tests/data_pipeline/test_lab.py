from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage import color

from data_pipeline import lab_tensor
from data_pipeline.lab import rgb_to_lab

CUBE = np.stack(np.meshgrid(*[np.arange(0, 256, 5)] * 3), axis=-1).reshape(52, -1, 3)
CODES = CUBE.astype(np.uint8)


def to_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


def test_exact_conversion_agrees_with_scikit_image() -> None:
    assert np.abs(rgb_to_lab(CODES) - color.rgb2lab(CODES)).max() < 1e-3


def test_all_greys_have_no_chroma() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lab = rgb_to_lab(grey)
    assert np.abs(lab[:, 1:]).max() < 0.01
    assert np.all(np.diff(lab[:, 0]) > 0)
    assert lab[0, 0] == pytest.approx(0, abs=1e-3)
    assert lab[255, 0] == pytest.approx(100, abs=1e-3)


def test_tensor_conversion_agrees_with_scikit_image() -> None:
    rgb = to_tensor(CODES).double() / 255
    lab = lab_tensor.rgb_to_lab(rgb)
    expected = to_tensor(color.rgb2lab(CODES))
    assert (lab - expected).abs().max() < 1e-3


def test_tensor_conversion_comes_back() -> None:
    rgb = to_tensor(CODES).float() / 255
    assert (lab_tensor.lab_to_rgb(lab_tensor.rgb_to_lab(rgb)) - rgb).abs().max() < 2e-4


def test_back_conversion_agrees_with_scikit_image_also_outside_the_gamut() -> None:
    axes = torch.meshgrid(
        torch.linspace(1, 99, 9),
        torch.linspace(-100, 100, 9),
        torch.linspace(-100, 100, 9),
        indexing="ij",
    )
    lab = torch.stack([axis.reshape(9, -1) for axis in axes])[None].double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the colours that are left out below
        expected = color.xyz2rgb(color.lab2xyz(lab[0].permute(1, 2, 0).numpy()))
    rgb = lab_tensor.lab_to_rgb(lab)[0].permute(1, 2, 0).numpy()
    # scikit-image clips negative Z before the matrix, we after it: leave those colours out
    z = (lab[0, 0] + 16) / 116 - lab[0, 2] / 200
    inside = (z > 0).numpy()
    assert inside.mean() > 0.7
    assert np.abs(rgb - expected)[inside].max() < 1e-3


def test_what_networks_see_is_lab_again() -> None:
    lab = to_tensor(rgb_to_lab(CODES))
    L_N1HW, ab_N2HW = lab[:, :1] / 50 - 1, lab[:, 1:] / 127
    assert L_N1HW.min() >= -1.0001
    assert L_N1HW.max() <= 1.0001
    assert ab_N2HW.abs().max() < 0.87
    torch.testing.assert_close(lab_tensor.denormalise_lab(L_N1HW, ab_N2HW), lab)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_gradients_are_finite_everywhere(rgb: list[float]) -> None:
    values = torch.tensor(rgb, dtype=torch.float64).reshape(1, 3, 1, 1).requires_grad_()
    lab_tensor.lab_to_rgb(lab_tensor.rgb_to_lab(values)).sum().backward()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()
