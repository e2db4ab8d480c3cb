"""One photo to the bytes that the cache holds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from data_pipeline.decode.grey import MINIMUM_CHROMA, measure_colour
from data_pipeline.decode.photo import Fit, PhotoError, fit_photo
from data_pipeline.errors import InputError
from data_pipeline.lab import FloatArray, rgb_to_lab
from data_pipeline.sources.listing import PhotoContent

#: goes up when the same photo and settings give other bytes
FORMAT_VERSION = 1

L_SCALE = 2.55
AB_OFFSET = 128

Codes = npt.NDArray[np.uint8]


def crop_side(image_size: int) -> int:
    """Pixels a side of the photos that trainings of `image_size` pixels a side crop.

    Crops of 0.4 to 1 of the area are then reduced to 0.8 of their side or enlarged to 1.26 of it.
    """
    return image_size * 5 // 4


@dataclass(frozen=True, kw_only=True)
class PhotoSettings:
    """All settings that change what a photo becomes in the cache.

    Raises:
        InputError: a setting is out of range.
    """

    #: pixels a side
    image_size: int
    #: "crop": the largest centred square; "squash": all of the photo, not its proportions
    fit: Fit
    #: photos with less colour are dropped, see `grey`; 0 keeps all
    minimum_chroma: float
    #: photos are kept a second time, larger, for trainings on crops of them
    crops: bool = False

    def __post_init__(self) -> None:
        if self.image_size % 32 or not 32 <= self.image_size <= 2048:
            raise InputError(
                "image_size must be a multiple of 32 between 32 and 2048, "
                f"but got {self.image_size}: take for example 128"
            )
        if self.fit not in ("crop", "squash"):
            raise InputError(f"fit must be 'crop' or 'squash', but got '{self.fit}': take 'crop'")
        if not 0 <= self.minimum_chroma <= 100:
            raise InputError(
                f"minimum_chroma must be between 0 and 100, but got {self.minimum_chroma}: "
                f"take the default, {MINIMUM_CHROMA:g}, or 0 to keep grey photos"
            )

    @property
    def crop_side(self) -> int:
        """Pixels a side of the larger photos, that trainings crop."""
        return crop_side(self.image_size)

    @property
    def bytes_a_photo(self) -> int:
        """Bytes of a photo in the cache: 3 a pixel."""
        return 3 * (self.image_size**2 + (self.crop_side**2 if self.crops else 0))

    def key(self, hashes: list[str]) -> str:
        """Name what photos with these (sorted) content hashes become: 32 hexadecimal digits.

        Not told by it: whether they are kept a second time, which changes nothing of them.
        """
        values = {name: value for name, value in asdict(self).items() if name != "crops"}
        digest = hashlib.sha256(json.dumps([FORMAT_VERSION, values]).encode())
        for content in hashes:
            digest.update(bytes.fromhex(content))
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class PhotoCodes:
    """What the cache keeps of a photo, as `quantise_lab` makes it."""

    #: (3, S, S)
    whole: Codes
    #: (3, C, C) where there are crops, with C the settings' `crop_side`
    larger: Codes | None = None


def quantise_lab(lab: FloatArray) -> Codes:
    """Store Lab (H, W, 3) as (3, H, W) uint8: round(2.55 L), round(a) + 128, round(b) + 128.

    Rounding moves L by at most 0.196 and a, b by at most 0.5; every sRGB colour fits.
    """
    codes = np.empty((3, *lab.shape[:2]), np.uint8)
    codes[0] = np.rint(lab[..., 0] * np.float32(L_SCALE))
    codes[1:] = np.rint(lab[..., 1:].transpose(2, 0, 1)) + AB_OFFSET
    return codes


def prepare(content: PhotoContent, settings: PhotoSettings) -> PhotoCodes | str:
    """Turn a photo into what the cache keeps of it, or say why it is not used."""
    try:
        image = content.decode(at_least=settings.image_size)
        fitted = fit_photo(image, settings.image_size, settings.fit)
        lack = measure_colour(fitted).lack(settings.minimum_chroma)
        if lack is not None:
            return lack
        whole = quantise_lab(rgb_to_lab(fitted))
        if not settings.crops:
            return PhotoCodes(whole)
        if min(image.shape[:2]) < settings.crop_side:
            image = content.decode(at_least=settings.crop_side)
    except PhotoError as error:
        return str(error)
    larger = fit_photo(image, settings.crop_side, settings.fit)
    return PhotoCodes(whole, quantise_lab(rgb_to_lab(larger)))
