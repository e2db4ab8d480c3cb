"""A coloured photo encoded like the original in format and metadata, to a file or a stream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import ExifTags, Image

from data_pipeline.decode.photo import PhotoError
from data_pipeline.durable import replacing
from data_pipeline.errors import InputError
from models.colorize.opened_photo import Photo

#: formats that can be written, and the suffix that a file of each has
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "AVIF": ".avif"}

# for photos that were no such file before: high, because the original's quality is not known
_QUALITY = {"JPEG": 92, "WEBP": 90, "AVIF": 85}
_TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")
_MAX_JPEG_SEGMENT = 65533
_TEXT_TAGS = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)


def save_photo(
    path: Path, pixels: Image.Image | npt.NDArray[np.uint16], photo: Photo, format_name: str
) -> list[str]:
    """Write a coloured photo to `path`, whole or not at all; see `encode_photo`.

    Folders above it are made. A file that exists is replaced only when the new one is complete, and
    durable: a later run takes it for done. Raises PhotoError when that fails.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            return encode_photo(file, pixels, photo, format_name)
    except OSError as error:
        raise PhotoError(f"cannot be written: {error.strerror or error}") from error


def encode_photo(
    file: BinaryIO, pixels: Image.Image | npt.NDArray[np.uint16], photo: Photo, format_name: str
) -> list[str]:
    """Write coloured `pixels` to `file` with the metadata of `photo`; return what was lost, if any.

    `pixels` is an image of mode RGB or RGBA, or an array (H, W, 3 or 4) of 16 bits; `file` can
    seek. Raises PhotoError when that fails.
    """
    notes: list[str] = []
    if not isinstance(pixels, Image.Image) and format_name not in ("PNG", "TIFF"):
        notes.append(f"16 bits: {format_name} has 8")
        pixels = to_8bit(pixels)
    if format_name == "JPEG" and isinstance(pixels, Image.Image) and pixels.mode == "RGBA":
        notes.append("transparency: JPEG has none, shown on white")
        white = Image.new("RGB", pixels.size, "white")
        white.paste(pixels, mask=pixels.getchannel("A"))
        pixels = white
    try:
        if isinstance(pixels, Image.Image):
            pixels.save(file, format_name, **_options(photo, format_name, notes))
        elif format_name == "PNG":
            file.write(_wide_png(pixels, photo))
        else:
            _write_wide_tiff(file, pixels, photo, notes)
    except OSError as error:
        raise PhotoError(f"cannot be written: {error.strerror or error}") from error
    except Exception as error:  # Pillow's encoders raise many types
        raise PhotoError(f"cannot be written as {format_name}: {error}") from error
    return notes


def check_format(name: str | None) -> str | None:
    """The key of `SUFFIXES` that `name` means in any case; InputError when there is none."""
    if name is not None and name.upper() not in SUFFIXES:
        known = ", ".join(sorted(known.lower() for known in SUFFIXES))
        raise InputError(f"the format must be one of {known}, but got {name!r}")
    return name.upper() if name is not None else None


def to_8bit(pixels: npt.NDArray[np.uint16]) -> Image.Image:
    """Round an array (H, W, 3 or 4) of 16 bits to an image of 8."""
    return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _options(photo: Photo, format_name: str, notes: list[str]) -> dict[str, Any]:
    same = photo.save_options if photo.format == format_name else {}
    options: dict[str, Any] = {key: value for key, value in same.items() if value is not None}
    if format_name == "JPEG" and "qtables" not in options:
        options["quality"] = _QUALITY["JPEG"]
    if format_name in ("WEBP", "AVIF"):
        options["quality"] = _QUALITY[format_name]
    if format_name == "TIFF" and options.get("compression") not in _TIFF_COMPRESSIONS:
        options["compression"] = "tiff_adobe_deflate"
    if photo.icc_profile is not None:
        options["icc_profile"] = photo.icc_profile
    if photo.exif is not None:
        if format_name == "JPEG" and len(photo.exif) > _MAX_JPEG_SEGMENT:
            notes.append("EXIF: too long for JPEG, not kept")
        else:
            options["exif"] = photo.exif
            if format_name == "TIFF" and options["compression"] != "raw":
                # Pillow fails on compressed files with directories of EXIF inside
                options["compression"] = "raw"
                notes.append("TIFF: not compressed, so that it keeps its EXIF")
    return options


def _wide_png(pixels: npt.NDArray[np.uint16], photo: Photo) -> bytes:
    metadata: list[tuple[int, bytes]] = []
    if photo.exif is not None:
        metadata.append((cv2.IMAGE_METADATA_EXIF, photo.exif))
    if photo.icc_profile is not None:
        metadata.append((cv2.IMAGE_METADATA_ICCP, photo.icc_profile))
    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, content = cv2.imencodeWithMetadata(
        ".png",
        np.ascontiguousarray(pixels[..., order]),
        [kind for kind, _ in metadata],
        [np.frombuffer(value, np.uint8) for _, value in metadata],
    )
    if not done:
        raise ValueError("the encoder failed")
    return content.tobytes()


def _write_wide_tiff(
    file: BinaryIO, pixels: npt.NDArray[np.uint16], photo: Photo, notes: list[str]
) -> None:
    exif = Image.Exif()
    if photo.exif is not None:
        exif.load(photo.exif)
        if ExifTags.IFD.Exif in exif or ExifTags.IFD.GPSInfo in exif:
            notes.append("EXIF: of a 16-bit TIFF only title, camera, date and author are kept")
    texts: Mapping[int, Any] = exif
    tifffile.imwrite(
        file,
        pixels,
        photometric="rgb",
        compression="zlib",
        iccprofile=photo.icc_profile,
        extrasamples=["unassalpha"] if pixels.shape[2] == 4 else None,
        metadata=None,
        software=False,
        extratags=[(int(tag), "s", 0, str(texts[tag]), True) for tag in _TEXT_TAGS if tag in texts],
    )
