"""Photo files: what a coloured copy keeps of format, depth, transparency, EXIF and profile."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import ExifTags, Image, ImageCms
from skimage.color import lab2rgb, rgb2lab

from models.bundle import Bundle
from models.colorize_light import profile_light
from models.colorize_paths import PhotoResult, colorize_paths
from models.generator import Generator


class FixedChroma(Generator):
    """A stand-in network that answers with one a*, b* everywhere."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__(1)
        self.ab = torch.tensor([a, b]) / 127
        self.eval()

    def forward(self, L_N1HW: torch.Tensor) -> torch.Tensor:
        n, _, h, w = L_N1HW.shape
        return self.ab[None, :, None, None].expand(n, 2, h, w)


BUNDLE = Bundle(generator=FixedChroma(14.0, -12.0), config={"image_size": 32})


def grey(height: int = 40, width: int = 60) -> npt.NDArray[np.uint8]:
    """Darker to the right and the bottom, so that a turned picture is told from an upright one."""
    y, x = np.mgrid[0:height, 0:width]
    return (230 - x * 2 - y).astype(np.uint8)


def colorize_one(path: Path, **options: Any) -> PhotoResult:
    (result,) = colorize_paths([path], path.parent / "out", BUNDLE, **options)
    return result


def done(path: Path, **options: Any) -> Image.Image:
    result = colorize_one(path, **options)
    assert result.out is not None, result.reason
    image = Image.open(result.out)
    image.load()
    return image


def lightness(rgb: Any, most: int = 255) -> npt.NDArray[np.float64]:
    array = np.asarray(rgb)
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    return np.asarray(rgb2lab(array[..., :3] / most)[..., 0])


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


def write_wide_png(path: Path, pixels: npt.NDArray[np.uint16], exif: bytes = b"") -> None:
    import cv2

    kinds = [cv2.IMAGE_METADATA_EXIF] if exif else []
    blocks = [np.frombuffer(exif, np.uint8)] if exif else []
    _, content = cv2.imencodeWithMetadata(".png", pixels[..., ::-1].copy(), kinds, blocks)
    path.write_bytes(content.tobytes())


def wide_pixels(path: Path) -> npt.NDArray[np.uint16]:
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.dtype == np.uint16
    return np.asarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]], np.uint16)


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


def test_transparency_on_jpeg_is_white_and_said(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(np.dstack([*[grey()] * 3, np.zeros_like(grey())])).save(path)
    result = colorize_one(path, output_format="jpeg")
    assert result.out is not None
    assert "transparency" in result.notes[0]
    assert np.asarray(Image.open(result.out)).min() > 250


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
