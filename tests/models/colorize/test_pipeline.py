"""Colorizing arrays: lightness kept, gamut kept, parity with the plain exact conversion."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from data_pipeline.errors import InputError
from data_pipeline.lab import DELTA
from models.bundle.store import Bundle
from models.colorize.luminance import cube, cube_root
from models.colorize.opened_photo import Photo
from models.colorize.pipeline import colorize, colorize_photo
from models.networks.generator import Generator
from tests.models.recoloured import FixedChroma

S = 64


@cache
def network(gain: float = 3.0) -> Generator:
    torch.manual_seed(0)
    generator = Generator(4).train()
    with torch.no_grad():
        generator(torch.randn(8, 1, S, S))
        generator.out[0].weight.mul_(gain)
    return generator.eval()


def photo(height: int, width: int, seed: int = 0, channels: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth areas, hard outlines, noise, black and white."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    grey = 128 + 90 * np.sin(x / 17 + y / 29) + rng.normal(0, 4, (height, width))
    grey[(x // 40 + y // 25) % 5 == 0] = 20
    grey[(x // 33 + y // 31) % 7 == 0] = 245
    grey = grey.clip(0, 255)
    if channels:
        tint = np.array([1.0, 0.8, 0.5]) + 0.2 * np.sin(x / 50)[..., None]
        grey = (grey[..., None] * tint).clip(0, 255)
    return grey.astype(np.uint8)


def grey_codes(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The 8-bit grey with the same lightness L* as each pixel."""
    lab = rgb2lab(rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2))
    lab[..., 1:] = 0
    return np.asarray(lab2rgb(lab)[..., 1] * 255)


def coloured(
    grey: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], generator: Generator
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], int]:
    """Colours of a grey photo, and how many of them lay outside sRGB."""
    pixels = Image.fromarray(grey) if grey.dtype == np.uint8 else grey.astype(np.uint16)
    bundle = Bundle(generator=generator, config={"image_size": S})
    result = colorize_photo(Photo(pixels, "PNG"), bundle)
    return np.asarray(result.pixels), result.n_reduced


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("gain", [1.0, 3.0, 10.0])
def test_lightness_is_kept_within_one_level(channels: int, gain: float) -> None:
    grey = photo(180, 260, channels=channels)
    rgb = colorize(grey, network(gain=gain), image_size=S, strength=2.0)
    assert np.ptp(rgb, axis=2).max() > 20
    assert np.abs(grey_codes(rgb) - grey_codes(grey)).max() <= 1.0


@pytest.mark.parametrize(("a", "b"), [(12.0, -20.0), (-15.0, 18.0), (0.0, 0.0), (30.0, 30.0)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_parity_with_the_exact_conversion(a: float, b: float, dtype: type) -> None:
    codes = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    grey = codes if dtype == np.uint8 else (codes.astype(np.uint16) * 257)
    rgb, n_reduced = coloured(grey, FixedChroma(a, b))
    assert rgb.dtype == dtype
    lab = rgb2lab(np.repeat(codes[..., None], 3, axis=2))
    lab[..., 1:] = a, b
    most = np.iinfo(dtype).max
    linear = exact_linear_rgb(lab)
    inside = (linear.min(axis=2) >= 0) & (linear.max(axis=2) <= 1)
    assert n_reduced == pytest.approx((~inside).sum(), abs=6)
    difference = np.abs(rgb - lab2rgb(lab) * most)[inside].max()
    # half a code, and half of one of the 20 steps of light that the darkest code has
    assert difference <= (0.525 if dtype == np.uint8 else 8)
    again = rgb2lab(rgb / most)
    hue = np.arctan2(again[..., 2], again[..., 1])
    colourful = np.hypot(again[..., 1], again[..., 2]) > 8
    if a or b:
        assert colourful.sum() > 300
        np.testing.assert_allclose(hue[colourful], np.arctan2(b, a), atol=0.12)


def exact_linear_rgb(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from data_pipeline.lab_tensor import lab_to_linear

    tensor = torch.from_numpy(lab.transpose(2, 0, 1)[None])
    return lab_to_linear(tensor)[0].permute(1, 2, 0).numpy()


def test_colours_outside_srgb_lose_only_chroma() -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    rgb, n_reduced = coloured(grey, FixedChroma(40.0, -100.0))
    assert n_reduced > 900
    assert np.abs(grey_codes(rgb) - grey).max() <= 1.0
    # a colour on the edge of sRGB has a channel at an end of its range
    at_edge = (rgb.min(axis=2) <= 1) | (rgb.max(axis=2) >= 254)
    assert at_edge.mean() > 0.98


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_strength_zero_is_grey_and_more_is_more(dtype: type) -> None:
    grey = photo(80, 100).astype(dtype) * (1 if dtype == np.uint8 else 257)
    none = colorize(grey, network(), image_size=S, strength=0.0)
    tolerance = 0 if dtype == np.uint8 else 8
    assert np.abs(none.astype(int) - grey[..., None]).max() <= tolerance
    chroma = []
    for strength in (0.5, 1.0, 2.0):
        rgb = colorize(grey, FixedChroma(4.0, -5.0), image_size=S, strength=strength)
        midtones = (grey > np.quantile(grey, 0.4)) & (grey < np.quantile(grey, 0.6))
        lab = rgb2lab(rgb)[midtones]
        chroma.append(np.hypot(lab[:, 1], lab[:, 2]).mean())
    np.testing.assert_allclose(chroma, np.hypot(4, 5) * np.array([0.5, 1, 2]), rtol=0.05)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    channels=st.sampled_from([0, 3]),
    fit=st.sampled_from(["crop", "squash"]),
)
def test_any_size_keeps_shape_and_lightness(
    height: int, width: int, channels: int, fit: str
) -> None:
    grey = photo(height, width, channels=channels)
    rgb = colorize(grey, network(), image_size=32, fit=fit)  # type: ignore[arg-type]
    assert rgb.shape == (height, width, 3)
    assert np.abs(grey_codes(rgb) - grey_codes(grey)).max() <= 1.0


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (40, 1000), (700, 33)])
def test_extreme_shapes(shape: tuple[int, int]) -> None:
    grey = photo(*shape)
    rgb = colorize(grey, network(), image_size=S)
    assert rgb.shape == (*shape, 3)
    assert np.abs(grey_codes(rgb) - grey).max() <= 1.0


def test_tiles_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.colorize import pixels

    grey = photo(150, 210, channels=3)
    whole = colorize(grey, network(), image_size=S)
    monkeypatch.setattr(pixels, "TILE_COLUMNS", 37)
    monkeypatch.setattr(pixels, "TILE_PIXELS", 37 * 5)
    tiled = colorize(grey, network(), image_size=S)
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert (whole != tiled).mean() < 1e-3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 3])
def test_blocks_of_a_tile_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch, dtype: type, channels: int
) -> None:
    """Colours outside sRGB are reduced for all blocks together, in the pixels where they were."""
    from models.colorize import pixels

    given = photo(61, 90, channels=channels).astype(dtype) * (1 if dtype == np.uint8 else 257)
    whole, n_whole = coloured(given, network(gain=10.0))
    monkeypatch.setattr(pixels, "BLOCK_PIXELS", 90 * 7)
    blocks, n_blocks = coloured(given, network(gain=10.0))
    assert n_blocks == n_whole > 300
    # of 65536 codes one, by the order in which a product of matrices is summed
    tolerance = 0 if dtype == np.uint8 else 1
    assert np.abs(whole.astype(int) - blocks).max() <= tolerance


@pytest.mark.parametrize("shape", [(1,), (4,), (1, 1), (2, 2), (3, 5)])
def test_cubes_undo_their_roots_however_few_and_dark(shape: tuple[int, ...]) -> None:
    Y = np.linspace(0.001, 0.02, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    root = cube_root(Y)
    expected = np.where(Y > DELTA**3, np.cbrt(Y), Y / (3 * DELTA**2) + 4 / 29)
    np.testing.assert_allclose(root, expected, rtol=1e-5)
    np.testing.assert_allclose(cube(root, np.empty_like(Y)), Y, rtol=1e-4)


@pytest.mark.parametrize(
    ("height", "tile_rows"), [(1503, 64), (1504, 64), (1503, 2), (1503, 1), (1503, 1502)]
)
def test_rows_that_share_the_field_leave_no_trace(
    monkeypatch: pytest.MonkeyPatch, height: int, tile_rows: int
) -> None:
    from models.colorize import pixels

    monkeypatch.setattr(pixels, "TILE_PIXELS", tile_rows * 1000)
    grey = photo(height, 1000)
    shared = colorize(grey, network(), image_size=32)
    monkeypatch.setattr(pixels, "_ROW_SHARE", 0.0)
    alone = colorize(grey, network(), image_size=32)
    assert (shared != alone).any()  # that is, rows were shared
    assert np.abs(shared.astype(int) - alone).max() <= 3
    assert np.abs(shared.astype(int) - alone).mean() < 0.2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 3])
def test_the_array_that_is_given_stays_as_it_was(dtype: type, channels: int) -> None:
    given = photo(60, 90, channels=channels).astype(dtype)
    before = given.copy()
    colorize(given, network(), image_size=S)
    np.testing.assert_array_equal(given, before)


def test_same_photo_same_result() -> None:
    grey = photo(150, 210)
    first, second = (colorize(grey, network(), image_size=S) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, colorize(np.asfortranarray(grey), network(), image_size=S))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros(4, np.uint8), "shape"),
        (np.zeros((4, 4), np.float32), "uint8"),
    ],
)
def test_arrays_that_are_no_photos(bad: npt.NDArray[np.uint8], message: str) -> None:
    with pytest.raises(InputError, match=message):
        colorize(bad, network(), image_size=S)


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf"), 101])
def test_strengths_that_are_none(strength: float) -> None:
    with pytest.raises(InputError, match="from 0"):
        colorize(photo(8, 8), network(), image_size=S, strength=strength)
