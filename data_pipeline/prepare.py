"""One entry of a source to the bytes that the cache holds; runs in the workers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from data_pipeline.grey import grey_reason
from data_pipeline.lab import FloatArray, rgb_to_lab
from data_pipeline.listing import PhotoEntry
from data_pipeline.photo import Fit, PhotoError, fit_photo

#: goes up when the same photo and settings give other bytes
FORMAT_VERSION = 1

L_SCALE = 2.55
AB_OFFSET = 128


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """All settings that change what a photo becomes in the cache."""

    image_size: int
    fit: Fit
    #: photos with less colour are dropped, see `grey`; 0 keeps all
    minimum_chroma: float

    def key(self, hashes: list[str]) -> str:
        """Name the cache of photos with these (sorted) content hashes: 32 hexadecimal digits."""
        digest = hashlib.sha256(json.dumps([FORMAT_VERSION, asdict(self)]).encode())
        for content in hashes:
            digest.update(bytes.fromhex(content))
        return digest.hexdigest()[:32]


def quantise_lab(lab: FloatArray) -> npt.NDArray[np.uint8]:
    """Store Lab (H, W, 3) as (3, H, W) uint8: round(2.55 L), round(a) + 128, round(b) + 128.

    Rounding moves L by at most 0.196 and a, b by at most 0.5; every sRGB colour fits.
    """
    codes = np.empty((3, *lab.shape[:2]), np.uint8)
    codes[0] = np.rint(lab[..., 0] * np.float32(L_SCALE))
    codes[1:] = np.rint(lab[..., 1:].transpose(2, 0, 1)) + AB_OFFSET
    return codes


def prepare(entry: PhotoEntry, settings: PhotoSettings) -> npt.NDArray[np.uint8] | str:
    """Turn a photo into (3, S, S) uint8 as `quantise_lab` stores it, or say why it is not used."""
    size = settings.image_size
    try:
        image = entry.read().decode(at_least=2 * size)
        lab = rgb_to_lab(fit_photo(image, size, settings.fit))
    except PhotoError as error:
        return str(error)
    return grey_reason(lab, settings.minimum_chroma) or quantise_lab(lab)
