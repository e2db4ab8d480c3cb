"""Photo files: a coloured copy keeps 16 bits and transparency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from tests.models.recoloured import (
    colorize_one,
    done,
    grey,
    lightness,
    wide_pixels,
)


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_kept(tmp_path: Path, kind: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    codes = (np.linspace(2000, 60000, 40 * 60).reshape(40, 60)).astype(np.uint16)
    pixels = codes if channels == 1 else np.dstack([codes] * 3)
    alpha = rng.integers(0, 65536, (40, 60)).astype(np.uint16)
    if channels == 4:
        pixels = np.dstack([pixels, alpha])
    path = tmp_path / f"photo.{kind}"
    if kind == "tiff":
        extra = ["unassalpha"] if channels == 4 else None
        photometric = "minisblack" if channels == 1 else "rgb"
        tifffile.imwrite(path, pixels, photometric=photometric, extrasamples=extra)
    elif channels == 1:
        Image.fromarray(pixels).save(path)
    else:
        import cv2

        cv2.imwrite(str(path), pixels[..., [2, 1, 0, 3][:channels]])
    result = colorize_one(path)
    assert result.out is not None, result.reason
    assert result.notes == ()
    out = wide_pixels(result.out)
    assert out.shape == (40, 60, 4 if channels == 4 else 3)
    assert np.abs(lightness(out, 65535) - lightness(codes, 65535)).max() < 0.01
    assert len(np.unique(out[..., 1])) > 2000  # many more than 8 bits have
    if channels == 4:
        np.testing.assert_array_equal(out[..., 3], alpha)


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_grey_tiff_is_no_negative_whichever_end_is_white(
    tmp_path: Path, photometric: str, kind: type[np.generic]
) -> None:
    codes = 255 - grey() if photometric == "miniswhite" else grey()
    scale = {np.uint8: 1, np.uint16: 257, np.float32: np.float32(1 / 255)}[kind]
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, codes.astype(kind) * kind(scale), photometric=photometric)
    result = colorize_one(path)
    assert result.out is not None, result.reason
    if kind is np.uint16:
        difference = lightness(wide_pixels(result.out), 65535) - lightness(grey())
    else:
        difference = lightness(Image.open(result.out)) - lightness(grey())
    # a code of 8 bits more or less, by which floating point may be rounded
    assert np.abs(difference).max() < 0.6


def test_16_bit_grey_with_transparency_in_a_tiff_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    pixels = np.dstack([grey().astype(np.uint16) * 257] * 2)
    tifffile.imwrite(path, pixels, photometric="minisblack", extrasamples=["unassalpha"])
    result = colorize_one(path)
    assert result.out is None
    assert "2 channels of 16 bits" in str(result.reason)
    assert "PNG" in str(result.reason)


def test_16_bits_to_jpeg_are_said_to_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(grey().astype(np.uint16) * 257).save(path)
    result = colorize_one(path, output_format="jpeg")
    assert result.out is not None
    assert "16 bits" in result.notes[0]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "PA"])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif"])
def test_transparency_is_kept(tmp_path: Path, mode: str, suffix: str) -> None:
    alpha = np.tile(np.array([0, 90, 255], np.uint8), (40, 20))
    rgba = Image.fromarray(np.dstack([*[grey()] * 3, alpha]))
    path = tmp_path / f"photo{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {"quality": 95}
    if mode == "P":
        if suffix not in (".png", ".webp"):
            pytest.skip("has no palettes with transparency")
        rgba.quantize(200).save(path, **options)
    elif mode == "LA" or (mode == "PA" and suffix == ".png"):
        rgba.convert("LA").save(path, **options)
    else:
        rgba.save(path, **options)
    image = done(path)
    assert image.mode == "RGBA"
    tolerance = 90 if mode == "P" else 6 if suffix == ".avif" else 0
    assert np.abs(np.asarray(image)[..., 3].astype(int) - alpha).max() <= tolerance
    opaque = alpha == 255
    difference = np.abs(lightness(image) - lightness(grey()))[opaque].max()
    assert difference < (8 if mode == "P" or suffix == ".avif" else 0.4)


def test_transparent_colour_of_a_grey_png(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(grey()).save(path, transparency=int(grey()[0, 0]))
    image = done(path)
    assert image.mode == "RGBA"
    assert (np.asarray(image)[..., 3] == 0).sum() == (grey() == grey()[0, 0]).sum()


@pytest.mark.parametrize("orientation", [1, 6])
def test_transparent_colour_of_a_grey_png_of_16_bits(tmp_path: Path, orientation: int) -> None:
    codes = grey().astype(np.uint16) * 250
    transparent = codes == codes[0, 20]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray(codes).save(path, transparency=int(codes[0, 20]), exif=exif)
    result = colorize_one(path)
    assert result.out is not None, result.reason
    assert result.notes == ()
    out = wide_pixels(result.out)
    upright = transparent if orientation == 1 else np.rot90(transparent, -1)
    np.testing.assert_array_equal(out[..., 3] == 0, upright)
    np.testing.assert_array_equal(out[..., 3] == 65535, ~upright)


def test_transparency_on_jpeg_is_white_and_said(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.dstack([*[grey()] * 3, np.zeros_like(grey())])).save(path)
    result = colorize_one(path, output_format="jpeg")
    assert result.out is not None
    assert "transparency" in result.notes[0]
    assert np.asarray(Image.open(result.out)).min() > 250
