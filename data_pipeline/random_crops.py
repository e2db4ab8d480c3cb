"""Random resized crops of a batch's photos, in whole numbers: the same bits on every device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from data_pipeline.cache.prepare import Codes

#: of a weight of the interpolation; the products of two of them and a code fit 32 bits
_ONE = 256


def draw_boxes(
    generator: np.random.Generator, n: int, *, side: int, minimum_area: float
) -> npt.NDArray[np.int64]:
    """Draw squares within photos of `side` pixels a side: (n, 3) of side, top and left, in pixels.

    Their area is uniform between `minimum_area` and all of the photo's, their place uniform, as in
    Szegedy et al. 2014, section 6 (https://arxiv.org/abs/1409.4842), but always square.
    """
    area_n, top_n, left_n = generator.random((3, n))
    sides_n = np.rint(side * np.sqrt(minimum_area + (1 - minimum_area) * area_n))
    free_n = side - sides_n + 1
    boxes_n3 = [sides_n, np.floor(free_n * top_n), np.floor(free_n * left_n)]
    return np.stack(boxes_n3, axis=1).astype(np.int64)


class Cropper:
    """Brings squares within photos of `side` pixels a side to `size`, by linear interpolation."""

    def __init__(self, side: int, size: int) -> None:
        self._side = side
        self._size = size
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def crop(self, photo: Codes, box: npt.NDArray[np.int64], out: Codes) -> None:
        """Write the square `box` (side, top, left) of a photo (3, C, C) to `out` (3, S, S)."""
        # Not above: importing it changes the environment, also of a driver, which never crops.
        import cv2

        side, top, left = box.tolist()
        for plane, target in zip(photo, out, strict=True):
            cv2.resize(
                plane[top : top + side, left : left + side],
                (self._size, self._size),
                dst=target,
                interpolation=cv2.INTER_LINEAR_EXACT,
            )

    def crop_batch(self, photos_N3CC: Tensor, boxes_N3: Tensor) -> Tensor:
        """Return the squares `boxes_N3` of the photos, uint8 (N, 3, S, S), on their device.

        It computes what `crop` has OpenCV compute (fixed point with 8 bits for each weight).
        """
        first_KS, weight_KS = self._tables_on(photos_N3CC.device)
        side_N, top_N, left_N = boxes_N3.unbind(1)
        first_NS, weight_NS = first_KS[side_N], weight_KS[side_N]
        second_NS = torch.minimum(first_NS + 1, side_N[:, None] - 1)

        def rows(offsets_NS: Tensor) -> Tensor:
            index = (top_N[:, None] + offsets_NS)[:, None, :, None]
            return photos_N3CC.gather(2, index.expand(-1, 3, -1, self._side)).int()

        def columns(offsets_NS: Tensor) -> Tensor:
            index = (left_N[:, None] + offsets_NS)[:, None, None, :]
            return lines_N3SC.gather(3, index.expand(-1, 3, self._size, -1))

        weight = weight_NS[:, None, :, None]
        lines_N3SC = rows(first_NS) * (_ONE - weight) + rows(second_NS) * weight
        weight = weight_NS[:, None, None, :]
        sums_N3SS = columns(first_NS) * (_ONE - weight) + columns(second_NS) * weight
        half = _ONE * _ONE // 2
        return ((sums_N3SS + half) // (_ONE * _ONE)).to(torch.uint8)

    def _tables_on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """For each side of a square, 0 to C: the first pixel of two, and the second one's weight.

        Made before anything is recorded there, since the first steps of a training are called.
        """
        if device not in self._tables:
            side_K1 = np.arange(self._side + 1)[:, None]
            # In double precision and in this order, as OpenCV does (modules/imgproc/src/resize.cpp,
            # interpolationLinear).
            with np.errstate(divide="ignore"):
                scale_K1 = 1.0 / (self._size / side_K1)
            at_KS = scale_K1 * (np.arange(self._size) + 0.5) - 0.5
            first_KS = np.floor(at_KS)
            weight_KS = np.rint((at_KS - first_KS) * _ONE)
            weight_KS[(first_KS < 0) | (first_KS >= side_K1 - 1)] = 0
            first_KS = first_KS.clip(0, np.maximum(side_K1 - 1, 0))
            self._tables[device] = (
                torch.from_numpy(first_KS.astype(np.int64)).to(device),
                torch.from_numpy(weight_KS.astype(np.int32)).to(device),
            )
        return self._tables[device]
