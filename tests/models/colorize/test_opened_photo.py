"""Photo files: a coloured copy keeps format and orientation; the comparison with the original."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image
from skimage.color import lab2rgb, rgb2lab

from tests.models.recoloured import (
    colorize_one,
    done,
    grey,
    lightness,
    write_wide_png,
)


@pytest.mark.parametrize(
    ("format_name", "suffix", "tolerance"),
    [
        ("JPEG", ".jpg", 3),
        ("PNG", ".png", 0.4),
        ("WEBP", ".webp", 6),
        ("TIFF", ".tif", 0.4),
        ("AVIF", ".avif", 6),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_format_is_kept_and_lightness_too(
    tmp_path: Path, format_name: str, suffix: str, tolerance: float, mode: str
) -> None:
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(grey()).convert(mode).save(path, format_name, quality=95)
    before = path.read_bytes()
    image = done(path)
    assert image.format == format_name
    assert image.mode == "RGB"
    assert image.size == (60, 40)
    assert np.abs(lightness(image) - lightness(Image.open(path).convert("RGB"))).max() < tolerance
    mean = rgb2lab(np.asarray(image))[..., 1:].mean(axis=(0, 1))
    np.testing.assert_allclose(mean, [14, -12], atol=2)
    assert path.read_bytes() == before


@pytest.mark.parametrize("output", ["jpeg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("source", ["JPEG", "GIF", "BMP"])
def test_format_can_be_chosen(tmp_path: Path, source: str, output: str) -> None:
    path = tmp_path / "photo.xyz"
    Image.fromarray(grey()).save(path, source)
    result = colorize_one(path, output_format=output)
    assert result.out is not None
    suffix = {"jpeg": ".jpg", "tiff": ".tif"}.get(output, f".{output}")
    assert result.out.name == f"photo.xyz{suffix}"
    with Image.open(result.out) as image:
        assert image.format == output.upper()


def test_jpeg_keeps_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.fromarray(grey()).convert("RGB").save(path, quality=37, subsampling=0, progressive=True)
    with Image.open(path) as original:
        image = done(path)
        assert image.quantization == original.quantization  # type: ignore[attr-defined]
        assert image.layer == original.layer  # type: ignore[attr-defined]
        assert image.info["progressive"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "tiff", "png", "png16", "tiff16", "grey16"])
def test_orientation_is_applied_once(tmp_path: Path, orientation: int, kind: str) -> None:
    upright = grey()
    # the array that a camera held in this way stores: undo what a viewer does
    undo = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = undo
    turned = Image.fromarray(upright)
    buffer = io.BytesIO()
    turned.save(buffer, "TIFF", exif=exif)
    stored = np.asarray(Image.open(buffer))
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "photo"
    wide = stored.astype(np.uint16) * 257
    if kind == "tiff16":
        tag = (274, "H", 1, orientation, True)
        tifffile.imwrite(path, np.dstack([wide] * 3), photometric="rgb", extratags=[tag])
    elif kind == "grey16":
        Image.fromarray(wide).save(path, "PNG", exif=exif)
    elif kind == "png16":
        write_wide_png(path, np.dstack([wide] * 3), exif.tobytes())
    else:
        Image.fromarray(stored).save(path, kind.upper(), exif=exif, quality=95)
    image = done(path)
    assert image.size == (60, 40)
    assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert np.abs(lightness(image) - lightness(upright)).max() < 3


def test_cmyk_and_palettes_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "cmyk.jpg"
    Image.fromarray(grey()).convert("CMYK").save(path, quality=95)
    result = colorize_one(path)
    assert result.out is not None
    assert "CMYK" in result.notes[0]
    with Image.open(result.out) as image, Image.open(path) as original:
        assert image.mode == "RGB"
        assert np.abs(lightness(image) - lightness(original.convert("RGB"))).mean() < 1.5
    path = tmp_path / "palette.png"
    Image.fromarray(grey()).convert("P").save(path)
    assert np.abs(lightness(done(path)) - lightness(grey())).max() < 0.4
    path = tmp_path / "bilevel.png"
    Image.fromarray(grey() > 128).save(path)
    assert done(path).mode == "RGB"


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
def test_animations_are_done_with_their_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((40, 60), v, np.uint8)).convert("RGB") for v in (60, 200)]
    path = tmp_path / f"film{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    result = colorize_one(path)
    assert result.out is not None
    assert len(result.notes) == 1
    assert "first" in result.notes[0]
    with Image.open(result.out) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert np.abs(lightness(image.convert("RGB")) - lightness(grey() * 0 + 60)).max() < 4


def test_a_raw_files_preview_is_not_taken_for_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "photo.nef"
    Image.fromarray(grey()).save(path, "TIFF", tiffinfo={254: 1})
    result = colorize_one(path)
    assert result.out is None
    assert "raw" in str(result.reason)
    assert list(tmp_path.rglob("*")) == [path]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("mode", ["L", "RGB", "LA"])
def test_compare_shows_the_original_beside(tmp_path: Path, depth: int, mode: str) -> None:
    codes = grey()
    path = tmp_path / "photo.png"
    image = Image.fromarray(codes).convert(mode)
    if depth == 16 and mode == "LA":
        pytest.skip("Pillow writes no such file")
    if depth == 16 and mode == "L":
        Image.fromarray(codes.astype(np.uint16) * 257).save(path)
    elif depth == 16:
        write_wide_png(path, np.dstack([codes.astype(np.uint16) * 257] * 3))
    else:
        image.save(path)
    both = done(path, compare=True)
    assert both.size == (120, 40)
    left, right = (np.asarray(both.crop((x, 0, x + 60, 40)))[..., :3] for x in (0, 60))
    assert np.abs(left.astype(int) - codes[..., None]).max() <= 1
    assert np.ptp(right, axis=2).min() > 10
    assert np.abs(lightness(right) - lightness(codes)).max() < 0.4


def test_compare_leaves_a_coloured_original_as_it_is(tmp_path: Path) -> None:
    lab = np.dstack([grey() / 2.55, np.full((40, 60), 20.0), np.full((40, 60), 30.0)])
    rgb = (lab2rgb(lab) * 255).round().astype(np.uint8)
    path = tmp_path / "photo.png"
    Image.fromarray(rgb).save(path)
    both = np.asarray(done(path, compare=True))
    np.testing.assert_array_equal(both[:, :60], rgb)
    assert np.abs(lightness(both[:, 60:]) - lightness(rgb)).max() < 0.4
