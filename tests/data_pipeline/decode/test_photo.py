from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from data_pipeline.decode.photo import (
    PhotoError,
    decode_photo,
    fit_photo,
    read_header,
)
from tests.data_pipeline.made_up import encode, paint, png

ORIENTATION = 0x0112
LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}, "AVIF": {"quality": 98}}


def stored_as(upright: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores so that EXIF `orientation` makes it upright again (CIPA DC-008)."""
    flip_horizontal, flip_vertical, transpose = np.fliplr, np.flipud, lambda a: a.swapaxes(0, 1)
    undo = {
        1: lambda a: a,
        2: flip_horizontal,
        3: lambda a: flip_vertical(flip_horizontal(a)),
        4: flip_vertical,
        5: transpose,
        6: lambda a: flip_vertical(transpose(a)),
        7: lambda a: flip_vertical(flip_horizontal(transpose(a))),
        8: lambda a: flip_horizontal(transpose(a)),
    }
    return np.ascontiguousarray(undo[orientation](upright))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_photos_are_upright(format_name: str, orientation: int) -> None:
    upright = paint(1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = LOSSLESS.get(format_name, {"quality": 98, "subsampling": 0})
    data = encode(stored_as(upright, orientation), format_name, exif=exif, **options)
    decoded = decode_photo(data)
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).max() <= (
        12 if format_name in ("JPEG", "AVIF") else 0
    )


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_orientation_is_ignored(value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    np.testing.assert_array_equal(decode_photo(encode(paint(1), "PNG", exif=exif)), paint(1))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_photo() -> None:
    data = encode(paint(1), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff\xff\xff")
    assert decode_photo(data).shape == paint(1).shape


@pytest.mark.parametrize(
    ("format_name", "options"),
    [
        ("JPEG", {"quality": 97, "subsampling": 0}),
        ("JPEG", {"quality": 97, "subsampling": 0, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {"quality": 95}),
        ("BMP", {}),
        ("JPEG2000", {}),
        ("PPM", {}),
    ],
)
def test_formats_of_photos_decode(format_name: str, options: dict[str, object]) -> None:
    data = encode(paint(2), format_name, **options)
    assert np.abs(decode_photo(data).astype(int) - paint(2)).mean() < 2
    header = read_header(data)
    assert (header.format, header.width, header.height) == (format_name, 64, 48)


def test_several_pictures_in_one_file_give_the_first() -> None:
    first, second = Image.fromarray(paint(3)), Image.fromarray(paint(4))
    for format_name in ("GIF", "TIFF", "PNG", "WEBP", "MPO"):
        data = encode(first, format_name, save_all=True, append_images=[second])
        assert np.abs(decode_photo(data).astype(int) - paint(3)).mean() < 8, format_name


@pytest.mark.parametrize("mode", ["L", "1", "LA", "RGBA", "P", "CMYK", "I;16", "I", "F"])
def test_all_modes_come_out_as_rgb(mode: str) -> None:
    image = Image.fromarray(paint(5))
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        data, expected = encode(Image.fromarray(grey), "PNG"), image.convert("L")
    elif mode in ("I", "F"):
        grey = np.asarray(image.convert("L")).astype(np.float32) / 255
        pixels = grey if mode == "F" else (grey * 65535).astype(np.int32)
        data, expected = encode(Image.fromarray(pixels), "TIFF"), image.convert("L")
    else:
        expected = image.convert(mode)
        data = encode(expected, "TIFF" if mode == "CMYK" else "PNG")
    decoded = decode_photo(data)
    assert decoded.shape == (48, 64, 3)
    assert np.abs(decoded.astype(int) - np.asarray(expected.convert("RGB"))).max() <= 1


def test_sixteen_bit_colour_keeps_its_upper_byte() -> None:
    height, width = 4, 5
    values = np.random.default_rng(0).integers(0, 65536, (height, width, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    data = png(rows, width, height, 16, 2, 0, 0, 0)
    assert np.abs(decode_photo(data).astype(int) - (values >> 8)).max() <= 1


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_grey_tiff_is_no_negative_whichever_end_is_white(
    photometric: str, kind: type[np.generic], orientation: int
) -> None:
    grey = np.asarray(Image.fromarray(paint(5)).convert("L"))
    codes = 255 - grey if photometric == "miniswhite" else grey
    scale = {np.uint8: 1, np.uint16: 257, np.float32: np.float32(1 / 255)}[kind]
    file = io.BytesIO()
    stored = stored_as(codes, orientation).astype(kind) * kind(scale)
    tag = (ORIENTATION, "H", 1, orientation, True)
    tifffile.imwrite(file, stored, photometric=photometric, extratags=[tag])
    decoded = decode_photo(file.getvalue())
    assert np.abs(decoded.astype(int) - grey[..., None]).max() <= 1


def test_pixels_that_pillow_has_no_mode_for_are_refused_with_what_they_are() -> None:
    file = io.BytesIO()
    pixels = np.zeros((8, 8, 2), np.uint16)
    tifffile.imwrite(file, pixels, photometric="minisblack", extrasamples=["unassalpha"])
    with pytest.raises(PhotoError, match=r"must be .* but has 2 channels of 16 bits .* PNG"):
        decode_photo(file.getvalue())


def test_transparent_pixels_are_white_and_half_transparent_ones_between() -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, 1, 3], rgba[:, 2, 3], rgba[:, 3, 3] = 51, 204, 255
    row = decode_photo(encode(rgba, "PNG"))[0]
    np.testing.assert_array_equal(row[0], [255, 255, 255])
    np.testing.assert_array_equal(row[1], [244, 204, 204])
    np.testing.assert_array_equal(row[3], [200, 0, 0])


def test_colours_of_a_palette_with_transparency_are_right() -> None:
    image = Image.fromarray(paint(6)).quantize(16)
    data = encode(image, "PNG", transparency=bytes([0] + [255] * 15))
    index = np.asarray(image)
    expected = np.asarray(image.convert("RGB")).copy()
    expected[index == 0] = 255
    np.testing.assert_array_equal(decode_photo(data), expected)


def test_an_embedded_profile_is_converted_to_srgb() -> None:
    # a profile whose red and blue are swapped shows what is done with it
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = {srgb[o : o + 4]: o for o in range(132, 132 + 12 * srgb[131], 12)}
    swapped = bytearray(srgb)
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    swapped[red + 4 : red + 12], swapped[blue + 4 : blue + 12] = (
        srgb[blue + 4 : blue + 12],
        srgb[red + 4 : red + 12],
    )
    plain = decode_photo(encode(paint(7), "PNG", icc_profile=srgb))
    np.testing.assert_array_equal(plain, paint(7))
    converted = decode_photo(encode(paint(7), "PNG", icc_profile=bytes(swapped)))
    assert np.abs(converted.astype(int) - paint(7)[..., ::-1]).max() <= 2


def test_a_damaged_profile_does_not_cost_the_photo() -> None:
    data = encode(paint(7), "PNG", icc_profile=b"no profile at all")
    np.testing.assert_array_equal(decode_photo(data), paint(7))


# --- large JPEGs


def test_a_large_jpeg_is_decoded_at_no_less_than_twice_what_is_asked() -> None:
    data = encode(paint(8, 1200, 1600), "JPEG", quality=90)
    assert decode_photo(data).shape == (1200, 1600, 3)
    assert decode_photo(data, at_least=64).shape == (150, 200, 3)
    assert decode_photo(data, at_least=76).shape == (300, 400, 3)
    assert decode_photo(data, at_least=500).shape == (1200, 1600, 3)


def test_a_reduced_jpeg_gives_nearly_the_same_small_photo() -> None:
    rng = np.random.default_rng(0)
    detailed = paint(8, 1200, 1600).astype(int) + rng.integers(-30, 30, (1200, 1600, 1))
    data = encode(detailed.clip(0, 255).astype(np.uint8), "JPEG", quality=90)
    full = fit_photo(decode_photo(data), 64, "crop").astype(int)
    reduced = fit_photo(decode_photo(data, at_least=64), 64, "crop").astype(int)
    assert np.abs(full - reduced).mean() < 1.0
    assert np.abs(full - reduced).max() < 12


# --- fitting


def test_crop_keeps_proportions_and_the_centre() -> None:
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, 30:70] = 200
    cropped = fit_photo(image, 32, "crop").astype(int)
    np.testing.assert_array_equal(cropped[:, 2:-2], np.full((32, 28, 3), 200))
    assert cropped.min() > 190  # the filter looks a little beyond the crop


def test_squash_keeps_all_of_the_photo() -> None:
    image = np.zeros((32, 96, 3), np.uint8)
    image[:, :48] = 200
    squashed = fit_photo(image, 32, "squash")
    assert (squashed[:, :14] > 190).all()
    assert (squashed[:, 18:] < 10).all()


def test_fitting_a_photo_that_fits_changes_nothing() -> None:
    image = paint(1, 64, 64)
    np.testing.assert_array_equal(fit_photo(image, 64, "crop"), image)


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["crop", "squash"]))
def test_any_shape_fits(height: int, width: int, fit: str) -> None:
    assert fit_photo(np.zeros((height, width, 3), np.uint8), 32, fit).shape == (32, 32, 3)
