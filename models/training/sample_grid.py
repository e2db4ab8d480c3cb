"""Sample grids: what a generator makes of nine photos, as one picture.

Shapes: N photos, H and W pixels; pictures are uint8 (height, width, 3) sRGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from data_pipeline.lab_tensor import denormalise_lab, lab_to_rgb

Picture = npt.NDArray[np.uint8]

ROWS, COLUMNS = 3, 3
N_PHOTOS = ROWS * COLUMNS
BACKGROUND = 255


def sample_grid(L_N1HW: Tensor, ab_N2HW: Tensor) -> Picture:
    """Grey inputs in the left three columns, the same photos in colour in the right three.

    Takes the first nine photos, row by row, L and ab in [-1, 1]; places without a photo stay
    white (NaN is black). A wider gap parts inputs from outputs.
    """
    inputs = _grid(_tiles(L_N1HW, torch.zeros_like(ab_N2HW)))
    outputs = _grid(_tiles(L_N1HW, ab_N2HW))
    middle = _blank(inputs.shape[0], 2 * _gap(L_N1HW.shape[-1]))
    return np.concatenate([inputs, middle, outputs], axis=1)


def originals_grid(L_N1HW: Tensor, ab_N2HW: Tensor) -> Picture:
    """The first nine photos in colour, 3 x 3, row by row: the right half of a sample grid."""
    return _grid(_tiles(L_N1HW, ab_N2HW))


def encode_png(picture: Picture) -> bytes:
    """The picture as the content of a PNG file."""
    content = BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    return content.getvalue()


def _tiles(L_N1HW: Tensor, ab_N2HW: Tensor) -> Picture:
    lab = denormalise_lab(L_N1HW[:N_PHOTOS].detach().float(), ab_N2HW[:N_PHOTOS].detach().float())
    codes = lab_to_rgb(lab).nan_to_num(0.0).mul(255.0).round().to(torch.uint8)
    return codes.permute(0, 2, 3, 1).cpu().numpy()


def _grid(tiles_NHW3: Picture) -> Picture:
    n_photos, height, width, _ = tiles_NHW3.shape
    gap = _gap(width)
    empty = [_blank(height, width)] * (N_PHOTOS - n_photos)
    tiles = [*tiles_NHW3, *empty]
    rows = [
        _join(tiles[i : i + COLUMNS], _blank(height, gap), axis=1)
        for i in range(0, N_PHOTOS, COLUMNS)
    ]
    return _join(rows, _blank(gap, rows[0].shape[1]), axis=0)


def _join(parts: Sequence[Picture], between: Picture, *, axis: int) -> Picture:
    pieces = [piece for part in parts for piece in (between, part)]
    return np.concatenate(pieces[1:], axis=axis)


def _blank(height: int, width: int) -> Picture:
    return np.full((height, width, 3), BACKGROUND, dtype=np.uint8)


def _gap(width: int) -> int:
    """Pixels between two tiles: thin at any size."""
    return max(2, width // 32)
