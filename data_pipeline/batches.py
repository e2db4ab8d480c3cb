"""Batches from the cache as the networks see them: L_N1HW = L/50 - 1 and ab_N2HW = (a, b)/127."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_pipeline.errors import InputError
from data_pipeline.photo_cache import PhotoCache


def load_batch(cache: PhotoCache, indices: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Load photos as L_N1HW and ab_N2HW, float32 in [-1, 1]."""
    return _decode(torch.from_numpy(cache.pixels.take(indices, axis=0)))


class TrainingBatches:
    """Shuffled, flipped batches; which photo comes when depends on (seed, epoch, step) only."""

    def __init__(
        self,
        cache: PhotoCache,
        indices: npt.NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        flip: bool = True,
    ) -> None:
        """Prepare batches of the cache's rows `indices`.

        Raises:
            InputError: `batch_size` is below 1 or above the number of photos.
        """
        if not 1 <= batch_size <= len(indices):
            raise InputError(
                f"batch_size must be between 1 and the number of training photos, "
                f"{len(indices)}, but got {batch_size}: take a smaller batch or more photos"
            )
        self.cache = cache
        self._indices = indices
        self._batch_size = batch_size
        self._seed = seed
        self._flip = flip

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in an epoch; what remains of the photos has its turn in others."""
        return len(self._indices) // self._batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch from `start_step` on, as L_N1HW and ab_N2HW, float32."""
        generator = np.random.default_rng((self._seed, epoch))
        order = generator.permutation(self._indices)
        flips = generator.random(len(order)) < 0.5 if self._flip else np.zeros(len(order), bool)
        for step in range(start_step, self.steps_per_epoch):
            batch = slice(step * self._batch_size, (step + 1) * self._batch_size)
            codes = torch.from_numpy(self.cache.pixels.take(order[batch], axis=0))
            for row in np.flatnonzero(flips[batch]):
                codes[row] = codes[row].flip(-1)
            yield _decode(codes)


def _decode(codes_N3HW: Tensor) -> tuple[Tensor, Tensor]:
    L_N1HW = codes_N3HW[:, :1].float().div_(127.5).sub_(1.0)
    ab_N2HW = codes_N3HW[:, 1:].float().sub_(128.0).div_(127.0)
    return L_N1HW, ab_N2HW
