"""Batches from the cache as the networks see them: L_N1HW = L/50 - 1 and ab_N2HW = (a, b)/127."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_pipeline.cache.reader import PhotoCache
from data_pipeline.errors import InputError
from data_pipeline.random_crops import Cropper, draw_boxes


def load_batch(
    cache: PhotoCache, indices: npt.NDArray[np.int64], device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Load photos as L_N1HW and ab_N2HW, float32 in [-1, 1], on `device` or on the CPU."""
    return Decoder()(torch.from_numpy(cache.pixels.take(indices, axis=0)).to(device))


class TrainingBatches:
    """Shuffled, flipped, cropped batches; they depend on (seed, epoch, step) only."""

    def __init__(
        self,
        cache: PhotoCache,
        indices: npt.NDArray[np.int64],
        *,
        batch_size: int,
        seed: int | Callable[[int], int],
        flip: bool = True,
        crop_area: float = 1.0,
        resident_on: torch.device | None = None,
    ) -> None:
        """Prepare batches of the cache's rows `indices`.

        With a `crop_area` below 1 each photo is cropped to a square of this share of its area to
        all of it, another one in each epoch, out of the larger photos that the cache then holds.
        With `resident_on` their photos, 3 bytes a pixel, are copied to that device once, and the
        batches are put together and yielded there; otherwise each is read from the cache, through
        the page cache that all processes of a machine share, and yielded on the CPU.

        `seed` may be a function of the epoch.

        Raises:
            InputError: `batch_size` is below 1 or above the number of photos, or the cache holds no
                larger photos to be cropped.
        """
        if not 1 <= batch_size <= len(indices):
            raise InputError(
                f"batch_size must be between 1 and the number of training photos, "
                f"{len(indices)}, but got {batch_size}: take a smaller batch or more photos"
            )
        self.cache = cache
        self._indices = indices
        self._batch_size = batch_size
        self._seed_of = seed if callable(seed) else lambda epoch: seed
        self._flip = flip
        self._decoder = Decoder()
        self._photos = cache.pixels
        self._crop_area = crop_area
        self._cropper: Cropper | None = None
        if crop_area < 1:
            if cache.crops is None:
                raise InputError(
                    f"crop_area {crop_area:g} needs a photo cache with crops, but '{cache.path}' "
                    "has none: build it again"
                )
            self._photos = cache.crops
            self._cropper = Cropper(cache.crops.shape[-1], cache.image_size)
        self._resident_N3HW: Tensor | None = None
        if resident_on is not None:
            photos = torch.from_numpy(self._photos.take(indices, axis=0))
            self._resident_N3HW = photos.to(resident_on)

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in an epoch; what remains of the photos has its turn in others."""
        return len(self._indices) // self._batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch from `start_step` on, as L_N1HW and ab_N2HW, float32."""
        return (self.decode(*draw) for draw in self.draws(epoch, start_step))

    def draws(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield what `decode` makes those batches of.

        The photos' codes, uint8 (N, 3, H, W) on the CPU; with resident photos, which of them,
        int64 (N,), which of these are mirrored, bool (N,), and, if they are cropped, to which
        squares, int64 (N, 3) as `draw_boxes` draws them, on their device.
        """
        generator = np.random.default_rng((self._seed_of(epoch), epoch))
        n = len(self._indices)
        order = generator.permutation(n)
        flips = generator.random(n) < 0.5 if self._flip else np.zeros(n, bool)
        drawn: list[npt.NDArray[Any]] = [order, flips]
        if self._cropper is not None:
            side = self._photos.shape[-1]
            drawn.append(draw_boxes(generator, n, side=side, minimum_area=self._crop_area))
        batches = (self.steps_per_epoch, self._batch_size)
        used = batches[0] * batches[1]
        steps = [each[:used].reshape(*batches, *each.shape[1:])[start_step:] for each in drawn]
        if self._resident_N3HW is None:
            for draw in zip(*steps, strict=True):
                yield (self._from_cache(*draw),)
            return
        device = self._resident_N3HW.device
        yield from zip(*(torch.from_numpy(each).to(device) for each in steps), strict=True)

    def decode(self, *draw: Tensor) -> tuple[Tensor, Tensor]:
        """Make L_N1HW and ab_N2HW of a draw, on its device, with the same bits on every device."""
        if self._resident_N3HW is None:
            (codes_N3HW,) = draw
        else:
            positions_N, mirrored_N, *boxes = draw
            codes_N3HW = self._resident_N3HW.index_select(0, positions_N)
            if self._cropper is not None:
                codes_N3HW = self._cropper.crop_batch(codes_N3HW, *boxes)
            codes_N3HW = torch.where(
                mirrored_N[:, None, None, None], codes_N3HW.flip(-1), codes_N3HW
            )
        return self._decoder(codes_N3HW)

    def _from_cache(
        self,
        positions: npt.NDArray[np.int64],
        flips: npt.NDArray[np.bool_],
        boxes: npt.NDArray[np.int64] | None = None,
    ) -> Tensor:
        rows = self._indices[positions]
        if self._cropper is None or boxes is None:
            codes = self._photos.take(rows, axis=0)
        else:
            size = self.cache.image_size
            codes = np.empty((len(rows), 3, size, size), np.uint8)
            for row, box, out in zip(rows, boxes, codes, strict=True):
                self._cropper.crop(self._photos[row], box, out)
        codes_N3HW = torch.from_numpy(codes)
        for row in np.flatnonzero(flips):
            codes_N3HW[row] = codes_N3HW[row].flip(-1)
        return codes_N3HW


class Decoder:
    """Turns codes into what the networks see: L_N1HW and ab_N2HW, float32, from uint8 N3HW.

    On the CPU it computes; elsewhere it looks up what the CPU computed for each of the 256 codes.
    CUDA would divide by a plain number by multiplying with its inverse, which is off in the last
    digit.
    """

    def __init__(self) -> None:
        self._tables: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __call__(self, codes_N3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Decode on the device where the codes are."""
        if codes_N3HW.device.type == "cpu":
            return _decode(codes_N3HW)
        return self.look_up(codes_N3HW)

    def look_up(self, codes_N3HW: Tensor) -> tuple[Tensor, Tensor]:
        """Decode by tables, which any device does alike."""
        device = codes_N3HW.device
        if device not in self._tables:
            codes_256 = torch.arange(256, dtype=torch.uint8)
            L_256, ab_256 = _decode(codes_256[:, None, None, None].expand(-1, 3, 1, 1))
            self._tables[device] = (L_256.flatten().to(device), ab_256[:, 0].flatten().to(device))
        L_256, ab_256 = self._tables[device]
        return L_256[codes_N3HW[:, :1].int()], ab_256[codes_N3HW[:, 1:].int()]


def _decode(codes_N3HW: Tensor) -> tuple[Tensor, Tensor]:
    L_N1HW = codes_N3HW[:, :1].float().div_(127.5).sub_(1.0)
    ab_N2HW = codes_N3HW[:, 1:].float().sub_(128.0).div_(127.0)
    return L_N1HW, ab_N2HW
