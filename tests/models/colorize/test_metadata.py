"""Photo files: what a coloured copy keeps of EXIF and colour profile."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from models.colorize.luminance import profile_light
from tests.models.recoloured import (
    done,
    grey,
    lightness,
    wide_pixels,
)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("chosen", [False, True])
def test_exif_is_kept_but_not_what_became_untrue(tmp_path: Path, suffix: str, chosen: bool) -> None:
    output_format = {".jpg": "jpeg", ".tif": "tiff"}.get(suffix, suffix[1:]) if chosen else None
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Copyright] = "Somebody"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.BitsPerSample] = 8
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.DateTimeOriginal: "2020:01:02 03:04:05",
        ExifTags.Base.ExifImageWidth: 4711,
        ExifTags.Base.FNumber: 5.6,
    }
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    path = tmp_path / f"photo{'.jpg' if output_format else suffix}"
    Image.fromarray(grey()).convert("RGB").save(path, exif=exif.tobytes())
    image = done(path, output_format=output_format)
    assert image.format == {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    assert image.size == (40, 60)
    kept = image.getexif()
    assert kept[ExifTags.Base.Make] == "Maker"
    assert kept[ExifTags.Base.Copyright] == "Somebody"
    assert kept.get(ExifTags.Base.Orientation, 1) == 1
    kept_details = kept.get_ifd(ExifTags.IFD.Exif)
    assert kept_details[ExifTags.Base.DateTimeOriginal] == "2020:01:02 03:04:05"
    assert float(kept_details[ExifTags.Base.FNumber]) == pytest.approx(5.6)
    assert ExifTags.Base.ExifImageWidth not in kept_details
    assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"


def test_the_grey_thumbnail_does_not_stay(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    Image.fromarray(grey(12, 16)).save(thumbnail, "JPEG")
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    block = bytearray(exif.tobytes())
    path = tmp_path / "photo.jpg"
    Image.fromarray(grey()).save(path, exif=with_thumbnail(bytes(block), thumbnail.getvalue()))
    with Image.open(path) as original:
        assert original.getexif().get_ifd(ExifTags.IFD.IFD1)
    image = done(path)
    assert image.getexif()[ExifTags.Base.Make] == "Maker"
    assert not image.getexif().get_ifd(ExifTags.IFD.IFD1)
    assert thumbnail.getvalue() not in (tmp_path / "out" / "photo.jpg").read_bytes()


def with_thumbnail(block: bytes, thumbnail: bytes) -> bytes:
    """Append a second directory with a thumbnail to an EXIF block of one directory."""
    import struct

    tiff = bytearray(block[6:])
    order = ">" if tiff[:2] == b"MM" else "<"
    first = struct.unpack_from(order + "I", tiff, 4)[0]
    count = struct.unpack_from(order + "H", tiff, first)[0]
    struct.pack_into(order + "I", tiff, first + 2 + 12 * count, len(tiff))
    data_at = len(tiff) + 2 + 2 * 12 + 4
    tiff += struct.pack(order + "H", 2)
    tiff += struct.pack(order + "HHII", 0x0201, 4, 1, data_at)
    tiff += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    tiff += struct.pack(order + "I", 0)
    return block[:6] + bytes(tiff) + thumbnail


def test_damaged_exif_does_not_cost_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(grey()).save(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 300)
    assert done(path).size == (60, 40)


def profile_bytes(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]


def rgb_profile(gamma: float, primaries: list[tuple[float, float, float]]) -> bytes:
    """A small ICC profile of matrix and curve."""
    import struct

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    xyz = [b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in p)) for p in primaries]
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text, b"wtpt": white, b"cprt": b"text\0\0\0\0none\0"}
    if primaries:
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True))
        tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    else:
        tags |= {b"kTRC": curve}
    space = b"RGB " if primaries else b"GRAY"
    table, body = struct.pack(">I", len(tags)), b""
    offset = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", offset + len(body), len(content))
        body += padded
    header = bytearray(128)
    struct.pack_into(">I", header, 0, offset + len(body))
    header[8:12] = b"\x02\x20\0\0"
    header[12:24] = b"mntr" + space + b"XYZ "
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, 63190, 65536, 54061)
    return bytes(header) + table + body


# Adobe RGB (1998), adapted to D50
ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]


def test_srgb_profile_stays(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    profile = profile_bytes("sRGB")
    Image.fromarray(grey()).convert("RGB").save(path, icc_profile=profile, quality=95)
    image = done(path)
    assert image.info["icc_profile"] == profile
    assert np.abs(lightness(image) - lightness(Image.open(path))).max() < 3


@pytest.mark.parametrize("kind", ["png", "png16", "tiff16", "rgba"])
def test_other_profiles_become_srgb_at_the_same_lightness(tmp_path: Path, kind: str) -> None:
    profile = rgb_profile(1.8, ADOBE)
    path = tmp_path / "photo.png"
    codes = grey()
    true_lightness = lightness_of_linear((codes / 255) ** 1.8)
    wide = np.dstack([codes.astype(np.uint16) * 257] * 3)
    if kind == "tiff16":
        tifffile.imwrite(path, wide, photometric="rgb", iccprofile=profile)
    elif kind == "png16":
        import cv2

        _, content = cv2.imencodeWithMetadata(
            ".png", wide, [cv2.IMAGE_METADATA_ICCP], [np.frombuffer(profile, np.uint8)]
        )
        path.write_bytes(content.tobytes())
    else:
        mode = "RGBA" if kind == "rgba" else "RGB"
        Image.fromarray(codes).convert(mode).save(path, icc_profile=profile)
    image = done(path)
    if kind.endswith("16"):
        assert wide_pixels(tmp_path / "out" / "photo.png").dtype == np.uint16
    assert ImageCms.getProfileDescription(
        ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    ).startswith("sRGB")
    assert np.abs(lightness(image) - true_lightness).max() < 1.0


def lightness_of_linear(Y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(Y > (6 / 29) ** 3, 116 * np.cbrt(Y) - 16, Y * (29 / 3) ** 3)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("compare", [False, True])
def test_grey_profile_tells_the_lightness(tmp_path: Path, depth: int, compare: bool) -> None:
    profile = rgb_profile(1.8, [])
    codes = grey()
    path = tmp_path / "photo.png"
    pixels = codes if depth == 8 else codes.astype(np.uint16) * 257
    Image.fromarray(pixels).save(path, icc_profile=profile)
    image = done(path, compare=compare)
    true_lightness = lightness_of_linear((codes / 255) ** 1.8)
    for left in (0, 60) if compare else (0,):
        part = image.crop((left, 0, left + 60, 40))
        assert np.abs(lightness(part) - true_lightness).max() < 1.0
    assert "icc_profile" not in image.info  # a grey profile would be wrong on colours


@pytest.mark.parametrize("junk", [b"", b"junk", b"\0" * 200, bytes(range(256)) * 3])
def test_damaged_profiles_are_ignored(tmp_path: Path, junk: bytes) -> None:
    for mode in ("L", "RGB"):
        path = tmp_path / f"{mode}.tif"
        Image.fromarray(grey()).convert(mode).save(path, icc_profile=junk or None)
        image = done(path)
        assert np.abs(lightness(image) - lightness(grey())).max() < 0.4
    assert profile_light(junk, 1) is None
    assert profile_light(junk, 3) is None


def test_hostile_profiles_are_no_light() -> None:
    good = rgb_profile(2.2, ADOBE)
    assert profile_light(good, 3) is not None
    assert profile_light(good, 1) is None
    rng = np.random.default_rng(0)
    for _ in range(300):
        bad = bytearray(good)
        for place in rng.integers(16, len(bad), 6):
            bad[place] = rng.integers(256)
        light = profile_light(bytes(bad), 3)
        assert light is None or np.isfinite(light.tables).all()
