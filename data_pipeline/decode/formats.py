"""Which files are photos, told by their first bytes, and which Pillow plugin opens each.

The plugins are called directly: `Image.open` would also try formats that run other programs (EPS),
and its check of the size warns or raises by one process-wide constant; `photo` has its own bounds.
"""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

#: as many bytes as `sniff` needs to see
PREFIX_BYTES = 16

HEIC = "HEIC"

# TIFF tags
_NEW_SUBFILE_TYPE = 254
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC_INTERPRETATION = 262

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG2000"),
)

# Brands of the ISO base media file format, after its 'ftyp'. mif1 and msf1 name the container
# only; Pillow's AVIF plugin tells by what follows.
_AVIF_BRANDS = (b"avif", b"avis", b"mif1", b"msf1")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")

_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": jpeg_factory,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "JPEG2000": Jpeg2KImageFile,
    "PPM": PpmImageFile,
}


def sniff(prefix: bytes) -> str | None:
    """Name the photo format that a file's first `PREFIX_BYTES` bytes announce; None if none."""
    for magic, name in _MAGIC:
        if prefix.startswith(magic):
            return name
    if prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP":
        return "WEBP"
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _AVIF_BRANDS:
        return "AVIF"
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIC_BRANDS:
        return HEIC
    # BMP and PPM have two letters only, which a text may begin with too: look further.
    if prefix[:2] == b"BM" and prefix[6:10] == bytes(4):
        return "BMP"
    if prefix[:1] == b"P" and prefix[1:2] in b"123456" and prefix[2:3].isspace():
        return "PPM"
    return None


def open_as(format_name: str, data: bytes) -> ImageFile.ImageFile:
    """Open a file's bytes as the format that `sniff` named; nothing is decoded yet.

    Raises any of the many exceptions that Pillow's plugins raise on damaged files.
    """
    return _PLUGINS[format_name](io.BytesIO(data))


def is_reduced(image: Image.Image) -> bool:
    """Tell whether a TIFF's picture calls itself a smaller copy of another one in the file."""
    kind = image.tag_v2.get(_NEW_SUBFILE_TYPE) if isinstance(image, TiffImageFile) else None
    return isinstance(kind, int) and bool(kind & 1)


def tiff_pixels(data: bytes) -> str:
    """Say what kind of pixels a TIFF has; for one whose pixels Pillow cannot read."""
    file = io.BytesIO(data)
    directory = ImageFileDirectory_v2(file.read(8))
    file.seek(directory.next)
    directory.load(file)
    bits = directory.get(_BITS_PER_SAMPLE, (1,))
    kind = directory.get(_PHOTOMETRIC_INTERPRETATION, "unset")
    channels = f"{len(bits)} channels" if len(bits) > 1 else "a channel"
    return f"{channels} of {max(bits)} bits with PhotometricInterpretation {kind}"


def white_is_zero(image: Image.Image) -> bool:
    """Tell whether 0 is white in a TIFF's decoded pixels.

    Pillow turns such files round when they have 1 to 8 bits, and leaves 16 bits and floating point
    as they are.
    """
    return (
        isinstance(image, TiffImageFile)
        and image.mode in ("I;16", "F")
        and image.tag_v2.get(_PHOTOMETRIC_INTERPRETATION) == 0
    )
