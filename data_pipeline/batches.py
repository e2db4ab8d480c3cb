"""Batches from the cache as the networks see them: L_N1HW = L/50 - 1 and ab_N2HW = (a, b)/127."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_pipeline.cache.reader import PhotoCache
from data_pipeline.errors import InputError


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
        seed: int | Callable[[int], int],
        flip: bool = True,
        resident_on: torch.device | None = None,
    ) -> None:
        """Prepare batches of the cache's rows `indices`.

        With `resident_on` their photos, 3 bytes a pixel, are copied to that device once, and the
        batches are put together and yielded there; otherwise each is read from the cache, through
        the page cache that all processes of a machine share, and yielded on the CPU.

        `seed` may be a function of the epoch.

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
        self._seed_of = seed if callable(seed) else lambda epoch: seed
        self._flip = flip
        self._resident_N3HW: Tensor | None = None
        if resident_on is not None:
            photos = torch.from_numpy(cache.pixels.take(indices, axis=0))
            self._resident_N3HW = photos.to(resident_on)

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in an epoch; what remains of the photos has its turn in others."""
        return len(self._indices) // self._batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch from `start_step` on, as L_N1HW and ab_N2HW, float32."""
        generator = np.random.default_rng((self._seed_of(epoch), epoch))
        order = generator.permutation(len(self._indices))
        flips = generator.random(len(order)) < 0.5 if self._flip else np.zeros(len(order), bool)
        for step in range(start_step, self.steps_per_epoch):
            batch = slice(step * self._batch_size, (step + 1) * self._batch_size)
            if self._resident_N3HW is None:
                yield _decode(self._from_cache(order[batch], flips[batch]))
            else:
                yield _decode(_gather(self._resident_N3HW, order[batch], flips[batch]))

    def _from_cache(self, positions: npt.NDArray[np.int64], flips: npt.NDArray[np.bool_]) -> Tensor:
        codes_N3HW = torch.from_numpy(self.cache.pixels.take(self._indices[positions], axis=0))
        for row in np.flatnonzero(flips):
            codes_N3HW[row] = codes_N3HW[row].flip(-1)
        return codes_N3HW


def _gather(
    photos_N3HW: Tensor, positions: npt.NDArray[np.int64], flips: npt.NDArray[np.bool_]
) -> Tensor:
    device = photos_N3HW.device
    codes_N3HW = photos_N3HW.index_select(0, torch.from_numpy(positions).to(device))
    mirrored_N111 = torch.from_numpy(flips).to(device)[:, None, None, None]
    return torch.where(mirrored_N111, codes_N3HW.flip(-1), codes_N3HW)


def _decode(codes_N3HW: Tensor) -> tuple[Tensor, Tensor]:
    L_N1HW = codes_N3HW[:, :1].float().div_(127.5).sub_(1.0)
    ab_N2HW = codes_N3HW[:, 1:].float().sub_(128.0).div_(127.0)
    return L_N1HW, ab_N2HW
