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
from models.colorize.chroma_field import ChromaField, RowEnlarger, enlarge_columns, small_products
from models.colorize.luminance import (
    PixelArray,
    Scratch,
    TransferCurve,
    cube,
    luminance_and_root,
)

FloatArray = npt.NDArray[np.float32]

# what is read and written at a time, and the part of it that is worked on in the processor's cache
TILE_COLUMNS = 4096
TILE_PIXELS = 2**18
BLOCK_PIXELS = 2**16

_TO_LINEAR: FloatArray = np.linalg.inv(RGB_TO_XYZ / WHITE_D65[:, None]).astype(np.float32)
# Linear light from 0 to 1 in steps that 16 bits hold, fine enough for 8-bit codes: 20 steps for the
# first, steepest one. A colour within half a code of the range's ends rounds to them, so there is
# room for that, and what is farther outside meets the ends of the 16 bits.
_STEPS_BELOW, _STEPS_ABOVE = 10, 292
_STEPS = 65535 - _STEPS_BELOW - _STEPS_ABOVE
#: linear light beyond which a colour of 8 bits is outside sRGB: its step is the first or the last
LOWEST_LINEAR = (0.5 - _STEPS_BELOW) / _STEPS
HIGHEST_LINEAR = (65534.5 - _STEPS_BELOW) / _STEPS
_TO_STEPS: list[list[float]] = (_TO_LINEAR * np.float32(_STEPS)).tolist()
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

    `read(top, bottom, left, right)` returns a tile, and `write(top, left, tile)` takes its opaque
    sRGB (R, C, 4) of the same depth, an array that is used again for the next tile. Each tile is
    read before it is written, so both may be one image. `light` tells the luminance of codes that
    are not those of sRGB.
    """
    roots_4hw = _root_planes(field)
    h = roots_4hw.shape[1]
    n_shared = max(1, int(2 * _ROW_SHARE * field.height / h))
    n_shared_rows = -(-field.height // n_shared)
    scratch = Scratch()
    n_reduced = 0
    for left in range(0, field.width, TILE_COLUMNS):
        right = min(left + TILE_COLUMNS, field.width)
        columns_h4C = enlarge_columns(roots_4hw, field.width, left, right)
        n_rows = max(1, TILE_PIXELS // (right - left) // n_shared)
        n_block_rows = max(1, BLOCK_PIXELS // (right - left) // n_shared)
        for first in range(0, n_shared_rows, n_rows):
            last = min(first + n_rows, n_shared_rows)
            # the last row of the field may stand for fewer rows of the photo
            top, bottom = first * n_shared, min(last * n_shared, field.height)
            planes = RowEnlarger(columns_h4C, field.height / n_shared, first, last)
            tile = read(top, bottom, left, right)
            out = scratch.codes("out", *tile.shape[:2], 4, dtype=tile.dtype.type)
            outside = _Outside()
            recolor_block = _recolor_8 if tile.dtype == np.uint8 else _recolor_16
            for start in range(0, last - first, n_block_rows):
                rows = slice(start * n_shared, (start + n_block_rows) * n_shared)
                planes_r4C = planes.rows(start, start + n_block_rows)
                block = _Block(tile[rows], planes_r4C, n_shared, light, scratch)
                pixels = recolor_block(block, out[rows], scratch)
                if len(pixels):
                    outside.add(block, pixels, first=rows.start * (right - left))
            n_reduced += outside.reduce(out)
            write(top, left, out)
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


class _Block:
    """Some rows of a tile in the colours they shall have: XYZ (white 1) and its roots, (R, C)."""

    def __init__(
        self,
        codes: PixelArray,
        planes_r4C: FloatArray,
        n_shared: int,
        light: TransferCurve | None,
        scratch: Scratch,
    ) -> None:
        self.Y, self.fy = luminance_and_root(codes, light, scratch)
        self.x_root, self.X, self.z_root, self.Z = (
            scratch.floats(name, *self.Y.shape) for name in ("x_root", "X", "z_root", "Z")
        )
        _affine(self.fy, planes_r4C[:, 0], planes_r4C[:, 1], n_shared, self.x_root)
        _affine(self.fy, planes_r4C[:, 2], planes_r4C[:, 3], n_shared, self.z_root)
        cube(self.x_root, self.X, scratch)
        cube(self.z_root, self.Z, scratch)


class _Outside:
    """The pixels of a tile whose colours are outside sRGB, from all its blocks."""

    def __init__(self) -> None:
        self._indices: list[npt.NDArray[np.intp]] = []
        self._colours: list[FloatArray] = []

    def add(self, block: _Block, pixels: npt.NDArray[np.intp], *, first: int) -> None:
        """Keep `pixels` of a block; its first pixel is number `first` of the tile."""
        planes = (block.Y, block.fy, block.x_root, block.z_root)
        self._indices.append(pixels + first)
        self._colours.append(np.stack([plane.ravel()[pixels] for plane in planes]))

    def reduce(self, out: PixelArray) -> int:
        """Give the pixels colours inside sRGB in the tile `out`; return how many they are."""
        if not self._indices:
            return 0
        indices = np.concatenate(self._indices)
        linear_3n = _reduce_to_gamut(*np.concatenate(self._colours, axis=1))
        encode = _encode_8 if out.dtype == np.uint8 else _encode_16
        out.reshape(-1, 4)[indices, :3] = encode(linear_3n).T
        return len(indices)


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


def _recolor_8(block: _Block, out: npt.NDArray[np.uint8], scratch: Scratch) -> npt.NDArray[np.intp]:
    """Write a block's colours, (R, C, 4) of 8 bits, to `out`; return which pixels are outside."""
    shape = block.Y.shape
    steps: npt.NDArray[np.uint16] = scratch.codes("steps", 3, *shape, dtype=np.uint16)
    part = scratch.floats("part", *shape)
    for (of_x, of_y, of_z), channel in zip(_TO_STEPS, steps, strict=True):
        cv2.addWeighted(block.X, of_x, block.Z, of_z, _STEPS_BELOW, dst=part)
        # rounds, and what 16 bits do not hold becomes the nearest that they do
        cv2.addWeighted(part, 1, block.Y, of_y, 0, dst=channel, dtype=cv2.CV_16U)
    codes: npt.NDArray[np.uint8] = scratch.codes("codes", 4, *shape, dtype=np.uint8)
    cv2.LUT(steps.reshape(3, -1), _code_table(), dst=codes[:3].reshape(3, -1))
    codes[3] = 255
    cv2.merge(list(codes), out)
    least, most, _, _ = cv2.minMaxLoc(steps.reshape(3, -1))
    if least > 0 and most < 65535:
        return np.empty(0, np.intp)
    red, green, blue = steps
    lowest = cv2.min(cv2.min(red, green), blue)
    highest = cv2.max(cv2.max(red, green), blue)
    return np.flatnonzero((lowest == 0) | (highest == 65535))


def _recolor_16(
    block: _Block, out: npt.NDArray[np.uint16], scratch: Scratch
) -> npt.NDArray[np.intp]:
    """Write a block's colours, (R, C, 4) of 16 bits, to `out`; return which pixels are outside."""
    xyz = np.stack([block.X, block.Y, block.Z])
    linear_3n = small_products(_TO_LINEAR, xyz.reshape(3, -1))
    half_code = 0.5 / 65535
    lowest, highest = -half_code / _SLOPE_AT_BLACK, 1 + half_code / _SLOPE_AT_WHITE
    outside = np.flatnonzero((linear_3n.min(axis=0) < lowest) | (linear_3n.max(axis=0) > highest))
    colours = _encode_16(linear_3n).reshape(xyz.shape)
    cv2.merge([*colours, np.full_like(colours[0], 65535)], out)
    return outside


def _reduce_to_gamut(
    Y: FloatArray, fy: FloatArray, x_root: FloatArray, z_root: FloatArray
) -> FloatArray:
    """Reduce the chroma of n colours outside sRGB until they fit: (3, n) linear light in [0, 1].

    Lightness and hue stay: the colour moves towards the grey of its lightness, which is inside.
    """
    x_per_chroma, z_per_chroma = x_root - fy, z_root - fy
    xyz = np.empty((3, len(Y)), np.float32)
    xyz[1] = Y

    def light(chroma: FloatArray) -> FloatArray:
        cube(fy + chroma * x_per_chroma, xyz[0])
        cube(fy + chroma * z_per_chroma, xyz[2])
        return small_products(_TO_LINEAR, xyz)

    def excess(rgb: FloatArray) -> FloatArray:
        beyond: FloatArray = np.maximum(rgb.max(axis=0) - 1, -rgb.min(axis=0))
        return beyond

    inside, outside = np.zeros_like(fy), np.ones_like(fy)
    excess_inside, excess_outside = excess(Y[None]), excess(light(outside))
    for _ in range(_N_BISECTIONS):
        middle = (inside + outside) * np.float32(0.5)
        excess_middle = excess(light(middle))
        is_outside = excess_middle > 0
        inside = np.where(is_outside, inside, middle)
        excess_inside = np.where(is_outside, excess_inside, excess_middle)
        outside = np.where(is_outside, middle, outside)
        excess_outside = np.where(is_outside, excess_middle, excess_outside)
    # the edge lies where the straight line between the two excesses is zero
    span = np.maximum(excess_outside - excess_inside, np.float32(1e-11))
    share = np.clip(-excess_inside / span, 0, 1)
    return light(inside + (outside - inside) * share)


def _encode_8(linear_3n: FloatArray) -> npt.NDArray[np.uint8]:
    """Apply the sRGB transfer curve to linear light and round to 8 bits, (3, n)."""
    steps = np.rint(np.clip(linear_3n, 0, 1) * np.float32(_STEPS)) + np.float32(_STEPS_BELOW)
    codes: npt.NDArray[np.uint8] = _code_table()[0][steps.astype(np.uint16)]
    return codes


def _encode_16(linear_3n: FloatArray) -> npt.NDArray[np.uint16]:
    """Apply the sRGB transfer curve to linear light and round to 16 bits, (3, n)."""
    linear = np.clip(linear_3n, 0, 1)
    curved = np.where(
        linear <= 0.0031308,
        linear * np.float32(12.92),
        np.float32(1.055) * cv2.pow(linear, 1 / 2.4) - np.float32(0.055),
    )
    codes: FloatArray = np.clip(curved * np.float32(65535) + np.float32(0.5), 0, 65535)
    return codes.astype(np.uint16)


@cache
def _code_table() -> npt.NDArray[np.uint8]:
    """The 8-bit sRGB code of each step of linear light, (1, 65536)."""
    linear = ((np.arange(65536) - _STEPS_BELOW) / _STEPS).clip(0, 1)
    curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    codes: npt.NDArray[np.uint8] = np.rint(curved * 255).astype(np.uint8)
    return codes[None]
