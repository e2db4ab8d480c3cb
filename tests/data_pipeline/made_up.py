"""Small made-up photos, and files of them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, features

RGBArray = npt.NDArray[np.uint8]


def paint(seed: int, height: int = 48, width: int = 64) -> RGBArray:
    """A sky of one hue over land of another, smooth as a photo is; (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(60, 200, (4, 5, 3))
    coarse[:2] += rng.uniform(-40, 40, 3)
    coarse[2:] += rng.uniform(-40, 40, 3)
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


NEEDS = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000"}


def encode(image: Image.Image | np.ndarray, format_name: str, **options: object) -> bytes:
    if NEEDS.get(format_name) and not features.check(NEEDS[format_name]):
        pytest.skip(f"this Pillow is built without {format_name}")
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def png(rows: bytes, width: int, height: int, *header: int) -> bytes:
    """A PNG file, put together by hand (ISO/IEC 15948)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, *header))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
