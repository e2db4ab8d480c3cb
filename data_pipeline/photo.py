"""One photo file to upright 8-bit sRGB pixels, in bounded time and memory.

Files come from anywhere, so only photo formats are decoded (never those that call other programs,
such as EPS), and what a header announces is checked before memory is taken for it.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

RGBArray = npt.NDArray[np.uint8]
Fit = Literal["crop", "squash"]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF", "JPEG2000", "PPM")


class PhotoError(ValueError):
    """A photo that cannot be used; the text is the reason, in one line."""


@dataclass(frozen=True)
class PhotoHeader:
    """What a photo file announces: format and size in pixels as stored (before EXIF rotation)."""

    format: str
    width: int
    height: int


def read_photo(path: Path, *, at_least: int | None = None) -> RGBArray:
    """Read a photo as upright sRGB, (H, W, 3) uint8; see `decode_photo`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error
    return decode_photo(data, at_least=at_least)


def decode_photo(data: bytes, *, at_least: int | None = None) -> RGBArray:
    """Decode a photo file's bytes to upright sRGB, (H, W, 3) uint8.

    With `at_least`, a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but never so that a
    side falls below `at_least` pixels; without it, at full size.

    Raises:
        PhotoError: not a photo, damaged, or larger than the bounds.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if at_least is not None:
                image.draft("RGB", (at_least, at_least))
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except UnidentifiedImageError as error:
        raise PhotoError("not a photo that can be decoded") from error
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise PhotoError(f"cannot be decoded: {error}") from error


def read_header(data: bytes) -> PhotoHeader:
    """Tell a photo's format and size from its file's bytes.

    Raises:
        PhotoError: not a photo.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return PhotoHeader(image.format or "unknown", image.width, image.height)
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise PhotoError("not a photo that can be decoded") from error


def fit_photo(image: RGBArray, size: int, fit: Fit) -> RGBArray:
    """Bring a photo (H, W, 3) to (size, size, 3).

    `crop` keeps the proportions and the largest centred square; `squash` keeps the whole photo and
    not its proportions.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    box = (0.0, 0.0, float(width), float(height))
    if fit == "crop":
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    resized = Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.asarray(resized)
