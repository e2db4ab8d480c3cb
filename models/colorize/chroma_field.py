"""Chroma at the network's size -> chroma for every pixel of the photo, along the photo's edges.

Enlarging the network's small chroma image by itself would let colours bleed over outlines. So
around each network pixel a* and b* are written as a linear function of lightness,
`a* = slope L* + offset`, fitted by a guided filter with a box filter's window (He, Sun and Tang,
"Guided image filtering", 2010; fitted at the small size as in He and Sun, "Fast guided filter",
https://arxiv.org/abs/1505.00996). What the fit leaves over is added back to the offset (Kiku et
al., "Residual interpolation for color image demosaicking", 2013), so that nothing of the network's
answer is lost. Slope and offset are smooth and are enlarged instead of the chroma; the photo's own
lightness then puts the edges where they are.

Shapes: h and w are the network's pixels of one photo (without padding), H and W the photo's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

FloatArray = npt.NDArray[np.float32]

#: half the side of the filter's window, in network pixels
RADIUS = 2
#: lightness variance, in L* squared, below which a window counts as flat (the filter's epsilon)
FLATNESS = 6.0
# columns that are enlarged with one product of matrices; any number is right, this one is fast
_BLOCK = 256


@dataclass(frozen=True)
class ChromaField:
    """Slopes and offsets of a* and b* over L*: (4, h, w) float32, in the order

    slope of a*, offset of a*, slope of b*, offset of b*; for a photo of H x W pixels.
    """

    planes_4hw: FloatArray
    height: int
    width: int


def fit_chroma(L_hw: FloatArray, ab_2hw: FloatArray, *, height: int, width: int) -> ChromaField:
    """Fit chroma to lightness, both at the network's size, for a photo of `height` x `width`."""
    mean_L = _box(L_hw)
    variance = _box(L_hw * L_hw) - mean_L * mean_L
    planes: list[FloatArray] = []
    for chroma in ab_2hw:
        covariance = _box(L_hw * chroma) - mean_L * _box(chroma)
        covariance /= variance + np.float32(FLATNESS)
        slope = _box(covariance)
        planes += [slope, chroma - slope * L_hw]
    return ChromaField(np.stack(planes), height, width)


def enlarge_columns(planes_4hw: FloatArray, width: int, start: int, stop: int) -> FloatArray:
    """Enlarge planes to columns `start` to `stop` of a photo of `width`: (h, 4, stop - start)."""
    planes = np.ascontiguousarray(planes_4hw.transpose(1, 0, 2))
    h, _, w = planes.shape
    out = np.empty((h, 4, stop - start), np.float32)
    for left in range(start, stop, _BLOCK):
        right = min(left + _BLOCK, stop)
        first, weights = enlarging_weights(w, width, left, right)
        part = planes[:, :, first : first + weights.shape[1]]
        out[:, :, left - start : right - start] = part @ weights.T
    return out


def enlarge_rows(columns_h4C: FloatArray, height: float, start: int, stop: int) -> FloatArray:
    """Enlarge what `enlarge_columns` returned to rows `start` to `stop`: (rows, 4, columns)."""
    return RowEnlarger(columns_h4C, height, start, stop).rows(0, stop - start)


class RowEnlarger:
    """Enlarges what `enlarge_columns` returned to rows `start` to `stop`, some rows at a time."""

    def __init__(self, columns_h4C: FloatArray, height: float, start: int, stop: int) -> None:
        h, _, self._n_columns = columns_h4C.shape
        first, self._weights = enlarging_weights(h, height, start, stop)
        part = columns_h4C[first : first + self._weights.shape[1]]
        self._part = part.reshape(len(part), -1)
        self._out = np.empty(0, np.float32)

    def rows(self, first: int, last: int) -> FloatArray:
        """Rows `first` to `last`, from `start` on: (rows, 4, columns), until the next call."""
        weights = self._weights[first:last]
        size = len(weights) * self._part.shape[1]
        if self._out.size < size:
            self._out = np.empty(size, np.float32)
        out = self._out[:size].reshape(len(weights), -1)
        return small_products(weights, self._part, out).reshape(len(weights), 4, self._n_columns)


def small_products(
    left: FloatArray, right: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """Multiply a small matrix (i, j) by a wide one (j, n), on this thread alone.

    OpenBLAS gives products of more than 2^18 multiply-adds to threads of its own, which wait by
    spinning; that is many times slower when other photos keep the processor's cores busy.
    """
    if out is None:
        out = np.empty((left.shape[0], right.shape[1]), np.float32)
    step = max(1, 2**18 // left.size)
    for start in range(0, right.shape[1], step):
        np.matmul(left, right[:, start : start + step], out=out[:, start : start + step])
    return out


@lru_cache(maxsize=4096)  # photos come in few sizes, and this takes as long as its use
def enlarging_weights(n_in: int, n_out: float, start: int, stop: int) -> tuple[int, FloatArray]:
    """Weights that resample `n_in` samples to samples `start` to `stop` of `n_out`.

    A fractional `n_out` ends within its last sample.

    They are Pillow's bicubic (cubic convolution with a = -1/2, Keys 1981, widened when it is a
    reduction), read off a resized unit matrix; at the ends the outermost sample is repeated. As
    products of matrices they enlarge a photo's tiles in a tenth of the time of `Image.resize`.
    Returns the first input sample and (stop - start, inputs) weights.
    """
    scale = n_in / n_out
    margin = math.ceil(2 * max(1.0, scale)) + 1
    first = max(0, math.floor(start * scale) - margin)
    last = min(n_in, math.ceil(stop * scale) + margin)
    unit = np.pad(np.eye(last - first, dtype=np.float32), ((margin, margin), (0, 0)), mode="edge")
    top, bottom = start * scale - first + margin, stop * scale - first + margin
    weights = np.asarray(
        Image.fromarray(unit).resize(
            (last - first, stop - start),
            Image.Resampling.BICUBIC,
            box=(0, top, last - first, bottom),
        )
    )
    used = np.flatnonzero(weights.any(axis=0))
    return first + int(used[0]), np.ascontiguousarray(weights[:, used[0] : used[-1] + 1])


def _box(image: FloatArray) -> FloatArray:
    side = 2 * RADIUS + 1
    blurred = cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)
    return blurred.astype(np.float32, copy=False)
