"""New chroma for a photo's pixels at their own lightness, exactly, tile by tile.

The lightness L* of each pixel stays; a* and b* come from a `ChromaField`. Colours outside sRGB get
less chroma at the same lightness and hue, and are counted. This is the exact conversion of
`data_pipeline.lab` written for tiles that stay in the processor's cache: with f = (L* + 16) / 116
the cube roots of X and Z are f + a*/500 and f - b*/200, which are linear in f wherever a* and b*
are linear in L*.

Shapes: R and C are a tile's rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from data_pipeline.lab import RGB_TO_XYZ, WHITE_D65
from models.colorize.chroma_field import ChromaField, enlarge_columns, enlarge_rows, small_products
from models.colorize.luminance import PixelArray, TransferCurve, cube, luminance_and_root

FloatArray = npt.NDArray[np.float32]

TILE_COLUMNS = 4096
TILE_PIXELS = 2**17

# linear light in 65536 steps is fine enough for 8 bits: 20 steps for the first, steepest code
_STEPS = 65536
_TO_STEPS: FloatArray = (np.linalg.inv(RGB_TO_XYZ / WHITE_D65[:, None]) * _STEPS).astype(np.float32)
# slopes of the sRGB transfer curve at black and white
_SLOPE_AT_BLACK, _SLOPE_AT_WHITE = 12.92, 1.055 / 2.4
_N_BISECTIONS = 4
# rows share a row of the field when that is off by less than this part of a network's pixel
_ROW_SHARE = 1 / 20


def recolor(
    read: Callable[[int, int, int, int], PixelArray],
    write: Callable[[int, int, PixelArray], None],
    field: ChromaField,
    light: TransferCurve | None = None,
) -> int:
    """Give all pixels of a photo the chroma of `field`; return how many had to be reduced to sRGB.

    `read(top, bottom, left, right)` returns a tile, and `write(top, left, tile)` takes its sRGB
    (R, C, 3) of the same depth. Each tile is read before it is written, so both may be one image.
    `light` tells the luminance of codes that are not those of sRGB.
    """
    roots_4hw = _root_planes(field)
    h = roots_4hw.shape[1]
    n_shared = max(1, int(2 * _ROW_SHARE * field.height / h))
    n_shared_rows = -(-field.height // n_shared)
    n_reduced = 0
    for left in range(0, field.width, TILE_COLUMNS):
        right = min(left + TILE_COLUMNS, field.width)
        columns_h4C = enlarge_columns(roots_4hw, field.width, left, right)
        n_rows = max(1, TILE_PIXELS // (right - left) // n_shared)
        for first in range(0, n_shared_rows, n_rows):
            last = min(first + n_rows, n_shared_rows)
            # the last row of the field may stand for fewer rows of the photo
            top, bottom = first * n_shared, min(last * n_shared, field.height)
            planes_r4C = enlarge_rows(columns_h4C, field.height / n_shared, first, last)
            tile, n = _recolor_tile(read(top, bottom, left, right), planes_r4C, n_shared, light)
            write(top, left, tile)
            n_reduced += n
    return n_reduced


def _root_planes(field: ChromaField) -> FloatArray:
    """Factors and terms (4, h, w) that make the cube roots of X and Z of f.

    With a* = slope L* + offset and L* = 116 f - 16 the first is
    f + a*/500 = (1 + 116/500 slope) f + (offset - 16 slope)/500, and likewise f - b*/200.
    """
    a_slope, a_offset, b_slope, b_offset = field.planes_4hw
    planes = [
        1 + 116 / 500 * a_slope,
        (a_offset - 16 * a_slope) / 500,
        1 - 116 / 200 * b_slope,
        (16 * b_slope - b_offset) / 200,
    ]
    return np.stack(planes).astype(np.float32, copy=False)


def _recolor_tile(
    tile: PixelArray, planes_r4C: FloatArray, n_shared: int, light: TransferCurve | None
) -> tuple[PixelArray, int]:
    n_rows, n_columns = tile.shape[:2]
    xyz = np.empty((3, n_rows, n_columns), np.float32)
    xyz[1], fy = luminance_and_root(tile, light)
    x_root, z_root = np.empty_like(fy), np.empty_like(fy)
    for root, factor, term in ((x_root, 0, 1), (z_root, 2, 3)):
        _affine(fy, planes_r4C[:, factor], planes_r4C[:, term], n_shared, root)
    cube(x_root, out=xyz[0])
    cube(z_root, out=xyz[2])
    steps_3n = small_products(_TO_STEPS, xyz.reshape(3, -1))
    # a channel that leaves its range by less than half a code rounds to the range's end
    half_code = 0.5 * _STEPS / (256**tile.dtype.itemsize - 1)
    lowest, highest = -half_code / _SLOPE_AT_BLACK, _STEPS + half_code / _SLOPE_AT_WHITE
    n_reduced = 0
    least, most, _, _ = cv2.minMaxLoc(steps_3n)
    if least < lowest or most > highest:
        outside = np.flatnonzero((steps_3n.min(axis=0) < lowest) | (steps_3n.max(axis=0) > highest))
        steps_3n[:, outside] = _reduce_to_gamut(
            steps_3n[:, outside],
            *(plane.ravel()[outside] for plane in (xyz[1], fy, x_root, z_root)),
        )
        n_reduced = len(outside)
    if least < 0 or most > _STEPS - 1:
        np.clip(steps_3n, 0, _STEPS - 1, out=steps_3n)
    encode = _encode_8 if tile.dtype == np.uint8 else _encode_16
    return encode(steps_3n.reshape(xyz.shape)), n_reduced


def _affine(
    fy: FloatArray, factor_rC: FloatArray, term_rC: FloatArray, n_shared: int, out: FloatArray
) -> None:
    """Write `factor * fy + term` to `out`, each row of the two standing for `n_shared` rows."""
    n_whole = len(fy) // n_shared
    n_columns = fy.shape[1]
    end = n_whole * n_shared
    parts = [
        (slice(0, n_whole), slice(0, end), n_shared),
        (slice(n_whole, None), slice(end, None), len(fy) - end),
    ]
    for shared, rows, n_rows in parts:
        if n_rows == 0 or len(factor_rC[shared]) == 0:
            continue
        grouped = out[rows].reshape(-1, n_rows, n_columns)
        np.multiply(fy[rows].reshape(grouped.shape), factor_rC[shared][:, None], out=grouped)
        grouped += term_rC[shared][:, None]


def _reduce_to_gamut(
    steps_3n: FloatArray, Y: FloatArray, fy: FloatArray, x_root: FloatArray, z_root: FloatArray
) -> FloatArray:
    """Reduce the chroma of n colours outside sRGB, (3, n) linear light in steps, until they fit.

    Lightness and hue stay: the colour moves towards the grey of its lightness, which is inside.
    """
    x_per_chroma, z_per_chroma = x_root - fy, z_root - fy
    xyz = np.empty_like(steps_3n)
    xyz[1] = Y

    def light(chroma: FloatArray) -> FloatArray:
        cube(fy + chroma * x_per_chroma, out=xyz[0])
        cube(fy + chroma * z_per_chroma, out=xyz[2])
        return small_products(_TO_STEPS, xyz)

    def excess(rgb: FloatArray) -> FloatArray:
        beyond: FloatArray = np.maximum(rgb.max(axis=0) - _STEPS, -rgb.min(axis=0))
        return beyond

    inside, outside = np.zeros_like(fy), np.ones_like(fy)
    excess_inside, excess_outside = excess(Y[None] * np.float32(_STEPS)), excess(steps_3n)
    for _ in range(_N_BISECTIONS):
        middle = (inside + outside) * np.float32(0.5)
        excess_middle = excess(light(middle))
        is_outside = excess_middle > 0
        inside = np.where(is_outside, inside, middle)
        excess_inside = np.where(is_outside, excess_inside, excess_middle)
        outside = np.where(is_outside, middle, outside)
        excess_outside = np.where(is_outside, excess_middle, excess_outside)
    # the edge lies where the straight line between the two excesses is zero
    span = np.maximum(excess_outside - excess_inside, np.float32(1e-6))
    share = np.clip(-excess_inside / span, 0, 1)
    return light(inside + (outside - inside) * share)


def _encode_8(steps_3RC: FloatArray) -> npt.NDArray[np.uint8]:
    """Apply the sRGB transfer curve to linear light in [0, 1], in steps: (R, C, 3) of 8 bits."""
    codes = cv2.LUT(steps_3RC.astype(np.uint16).reshape(3, -1), _code_table())
    merged: npt.NDArray[np.uint8] = cv2.merge(list(codes.reshape(steps_3RC.shape)))
    return merged


def _encode_16(steps_3RC: FloatArray) -> npt.NDArray[np.uint16]:
    """Apply the sRGB transfer curve to linear light in [0, 1], in steps: (R, C, 3) of 16 bits."""
    linear = steps_3RC * np.float32(1 / (_STEPS - 1))
    curved = np.where(
        linear <= 0.0031308,
        linear * np.float32(12.92),
        np.float32(1.055) * cv2.pow(linear, 1 / 2.4) - np.float32(0.055),
    )
    codes = np.clip(curved * np.float32(65535) + np.float32(0.5), 0, 65535)
    merged: npt.NDArray[np.uint16] = cv2.merge(list(codes)).astype(np.uint16)
    return merged


@cache
def _code_table() -> npt.NDArray[np.uint8]:
    """The 8-bit sRGB code of each step of linear light, (1, 65536)."""
    linear = (np.arange(_STEPS) + 0.5) / _STEPS
    curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    codes: npt.NDArray[np.uint8] = np.rint(curved * 255).astype(np.uint8)
    return codes[None]
