"""One photo file to upright 8-bit sRGB pixels, in bounded time and memory.

Files come from anywhere, so what a header announces is checked before memory is taken for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from data_pipeline.decode.colour_profile import to_srgb
from data_pipeline.decode.formats import (
    HEIC,
    PREFIX_BYTES,
    is_reduced,
    open_as,
    sniff,
    tiff_pixels,
    white_is_zero,
)

RGBArray = npt.NDArray[np.uint8]
Fit = Literal["crop", "squash"]

MEGA = 1_000_000
#: at most this many pixels are decoded: 0.3 GB, and up to 1 GB where there is transparency
MAX_MEGAPIXELS = 100
#: and a JPEG that is decoded at reduced size may have this many
MAX_REDUCED_MEGAPIXELS = 400
#: of each file at most this much is read
MAX_FILE_BYTES = 1 << 30
# A JPEG of a few bytes a scan can take minutes; encoders write about 10 scans, mozjpeg up to 64.
MAX_JPEG_SCANS = 200

# A reduced JPEG keeps this many times the pixels that are asked for.
_DECODE_FACTOR = 2

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PhotoError(ValueError):
    """A photo that cannot be used; the text is the reason, in one line.

    What stands before the first colon is the kind of reason, by which they are counted.
    """


class NotAPhotoError(PhotoError):
    """The file is not of any photo format."""


@dataclass(frozen=True)
class PhotoHeader:
    """What a photo file announces: format and size in pixels as stored (before EXIF rotation)."""

    format: str
    width: int
    height: int


def read_file(path: Path) -> bytes:
    """Read a file that begins like a photo.

    Raises:
        NotAPhotoError: it does not.
        PhotoError: it cannot be read, or has more than `MAX_FILE_BYTES`.
    """
    try:
        with path.open("rb", buffering=0) as file:
            prefix = file.read(PREFIX_BYTES)
            if not prefix:
                raise NotAPhotoError("empty file")
            if sniff(prefix) is None:
                raise NotAPhotoError("not a photo: no known image format")
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise PhotoError(f"too large: more than {MAX_FILE_BYTES >> 20} MiB")
            file.seek(0)
            return file.readall()
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error


def read_header(data: bytes) -> PhotoHeader:
    """Tell format and size from a photo file's bytes.

    Raises:
        PhotoError: not a photo, or damaged.
    """
    _, image = open_image(data)
    return PhotoHeader(image.format or "unknown", image.width, image.height)


def decode_photo(data: bytes, *, at_least: int | None = None) -> RGBArray:
    """Decode a photo file's bytes to upright sRGB, (H, W, 3) uint8.

    Transparent pixels come out on white; of an animation the first picture is taken; colours with
    an embedded profile are converted to sRGB. `at_least` tells that a photo of so many pixels a
    side will be made of it: then a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but with
    at least twice these pixels. (On noisy landscapes of 12 megapixels that moves Lab of the photos
    of 128 pixels by 0.16 on average and 0.8 at the 99th percentile; see `benchmarks/data.py`.)

    Raises:
        PhotoError: not a photo, damaged, or larger than the bounds above.
    """
    _, image = open_image(data)
    progressive = "progressive" in image.info
    _check_size(image, MAX_MEGAPIXELS if progressive else MAX_REDUCED_MEGAPIXELS)
    if progressive and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise PhotoError(f"cannot be decoded: more than {MAX_JPEG_SCANS} JPEG scans")
    if at_least is not None:
        image.draft(None, (_DECODE_FACTOR * at_least, _DECODE_FACTOR * at_least))
    _check_size(image, MAX_MEGAPIXELS)
    try:
        image.load()
        rgb = to_srgb(_upright(image), white_is_zero=white_is_zero(image))
    except Exception as error:  # Pillow's decoders raise many types on damaged files
        raise undecodable(error) from error
    return np.asarray(rgb)


def fit_photo(image: RGBArray, size: int, fit: Fit) -> RGBArray:
    """Bring a photo (H, W, 3) to (size, size, 3) with a Lanczos filter.

    `crop` keeps the proportions and the largest centred square; `squash` keeps the whole photo and
    not its proportions.
    """
    height, width = image.shape[:2]
    box = (0.0, 0.0, float(width), float(height))
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    resized = Image.fromarray(image).resize(
        (size, size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0
    )
    return np.asarray(resized)


def open_image(data: bytes) -> tuple[str, ImageFile.ImageFile]:
    """Open a photo file's bytes: its format, as `sniff` names it, and the image, not yet decoded.

    Raises:
        NotAPhotoError: no known image format.
        PhotoError: damaged, or of a kind that is refused.
    """
    format_name = sniff(data[:PREFIX_BYTES])
    if format_name is None:
        raise NotAPhotoError("not a photo: no known image format")
    if format_name == HEIC:
        raise PhotoError("HEIC is not supported: save it as JPEG, PNG, WebP, AVIF or TIFF")
    try:
        image = open_as(format_name, data)
    except Exception as error:  # as above
        if str(error) == "unknown pixel mode":  # Pillow's words for a sound TIFF
            raise PhotoError(
                "unsupported pixels: a TIFF must be black-is-zero grey, RGB or RGBA of 8 or 16 "
                f"bits, but has {tiff_pixels(data)}; save it so, or as PNG"
            ) from error
        raise undecodable(error) from error
    if is_reduced(image):  # and comes first: NEF, DNG and other raw formats
        raise PhotoError("a camera's raw file: save it as JPEG, PNG, WebP, AVIF or TIFF")
    return format_name, image


def _check_size(image: Image.Image, megapixels: int) -> None:
    if image.width * image.height > megapixels * MEGA:
        raise PhotoError(
            f"too large: {image.width} x {image.height} is more than {megapixels} megapixels"
        )


def _upright(image: ImageFile.ImageFile) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF says nothing about the picture
        orientation = 1
    operation = _UPRIGHT.get(orientation)
    return image if operation is None else image.transpose(operation)


def undecodable(error: Exception) -> PhotoError:
    """Say in one line why Pillow could not open or decode a photo."""
    text = " ".join(str(error).split()) or type(error).__name__
    return PhotoError(f"cannot be decoded: {text[:120]}")
