from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from models.training.sample_grid import encode_png, originals_grid, sample_grid


def photos(n: int, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    L = torch.linspace(-0.5, 0.4, n).reshape(n, 1, 1, 1).expand(n, 1, side, side)
    ab = torch.linspace(-0.3, 0.3, n).reshape(n, 1, 1, 1).expand(n, 2, side, side)
    return L, ab


def tile(picture: np.ndarray, row: int, column: int, side: int = 32) -> np.ndarray:
    gap = 2
    left = column * (side + gap) + (gap if column >= 3 else 0)
    top = row * (side + gap)
    return picture[top : top + side, left : left + side]


def is_grey(pixels: np.ndarray) -> bool:
    return int(np.ptp(pixels.astype(int), axis=-1).max()) <= 1


def test_inputs_stand_left_and_their_colors_right_row_by_row() -> None:
    picture = sample_grid(*photos(9))
    assert picture.shape == (3 * 32 + 2 * 2, 6 * 32 + 4 * 2 + 4, 3)
    assert picture.dtype == np.uint8
    originals = originals_grid(*photos(9))
    lightness = []
    for row in range(3):
        for column in range(3):
            grey, color = tile(picture, row, column), tile(picture, row, column + 3)
            assert is_grey(grey)
            assert is_grey(color) == ((row, column) == (1, 1))  # the middle photo has no colour
            np.testing.assert_array_equal(color, tile(originals, row, column))
            lightness.append(int(grey[0, 0, 0]))
    assert lightness == sorted(lightness)
    assert len(set(lightness)) == 9


def test_gaps_are_white() -> None:
    picture = sample_grid(*photos(9))
    assert (picture[:, 32:34] == 255).all()
    assert (picture[32:34] == 255).all()
    assert (picture[:, 100:104] == 255).all()


def test_missing_photos_leave_white_and_further_ones_are_left_out() -> None:
    nine = originals_grid(*photos(9))
    assert originals_grid(*photos(4)).shape == nine.shape
    assert (tile(originals_grid(*photos(4)), 1, 1) == 255).all()
    L, ab = photos(9)
    more = originals_grid(torch.cat([L, L]), torch.cat([ab, ab]))
    np.testing.assert_array_equal(more, nine)


def test_gradients_half_precision_and_nan_are_drawn() -> None:
    L, ab = photos(9)
    diverged = ab.clone().bfloat16().requires_grad_() * torch.nan
    picture = sample_grid(L, diverged)
    assert is_grey(tile(picture, 0, 0))
    assert (tile(picture, 0, 3) == 0).all()


def test_a_picture_is_the_same_as_png() -> None:
    picture = sample_grid(*photos(9))
    read = Image.open(io.BytesIO(encode_png(picture)), formats=["PNG"])
    np.testing.assert_array_equal(np.asarray(read), picture)
