"""Photos in three sets by content: train (80 %), choose (two halves of 5 %) and test (10 %)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, build_cache

_SALT = b"chromatune recordings 1"
#: upper ends of the sets on [0, 1), on which each content's salted hash falls
_ENDS = {"train": 0.8, "choose_a": 0.85, "choose_b": 0.9, "test": 1.0}
HELD_OUT = ("choose_a", "choose_b", "test")


def assign(hashes: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    """Row numbers of each set; copies of a photo share one, and other photos do not move it."""
    places = np.array([_place(content) for content in hashes])
    sets = np.searchsorted(list(_ENDS.values()), places, side="right")
    return {name: np.flatnonzero(sets == i).astype(np.int64) for i, name in enumerate(_ENDS)}


def _place(content: str) -> float:
    digest = hashlib.sha256(_SALT + content.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@dataclass(frozen=True)
class PhotoSets:
    """The photos of a recording."""

    cache: PhotoCache
    rows: dict[str, npt.NDArray[np.int64]]

    @classmethod
    def open(cls, images: Path, *, image_size: int) -> PhotoSets:
        """Build or find the cache of a folder and divide its photos."""
        cache = build_cache(images, image_size=image_size, workers=1)
        return cls(cache, assign(cache.hashes))

    @property
    def counts(self) -> dict[str, int]:
        """Photos in each set."""
        return {name: len(rows) for name, rows in self.rows.items()}

    def load(self, name: str) -> tuple[Tensor, Tensor]:
        """All photos of a set as L_N1HW and ab_N2HW in [-1, 1]."""
        L_N1HW, ab_N2HW = load_batch(self.cache, self.rows[name])
        return L_N1HW.contiguous(), ab_N2HW.contiguous()


def to_codes(ab_N2HW: Tensor) -> npt.NDArray[np.uint8]:
    """Colours in [-1, 1] as the cache keeps them: round(127 ab) + 128."""
    return (ab_N2HW * 127.0).round().clamp(-127, 127).add(128).to(torch.uint8).numpy()


def from_codes(codes: npt.NDArray[np.uint8]) -> Tensor:
    """Undo `to_codes`, float32 in [-1, 1]."""
    return torch.from_numpy(codes).float().sub_(128.0).div_(127.0)
