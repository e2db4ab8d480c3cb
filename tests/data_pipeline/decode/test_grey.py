"""The filter is measured on real photos in its docstring; here are its principles."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from data_pipeline.decode.grey import MINIMUM_CHROMA, measure_colour
from data_pipeline.decode.photo import fit_photo
from data_pipeline.synthetic.landscape import make_landscape
from tests.data_pipeline.made_up import RGBArray

SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
SIDE = 128


@cache
def landscape(seed: int) -> RGBArray:
    return make_landscape(seed, SIDE)


def grey(image: RGBArray) -> RGBArray:
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def as_jpeg(image: RGBArray, quality: int) -> RGBArray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def kind(image: RGBArray) -> str | None:
    lack = measure_colour(image).lack()
    assert lack is None or "\n" not in lack
    return lack and lack.partition(":")[0]


SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_landscapes_are_kept(seed: int) -> None:
    assert kind(landscape(seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_grey_saved_as_rgb_is_dropped(seed: int) -> None:
    assert kind(grey(landscape(seed))) == "grey"
    assert kind(as_jpeg(grey(landscape(seed)), 60)) == "grey"


@pytest.mark.parametrize("deviation", [2, 5, 10])
def test_noise_is_not_taken_for_colour(deviation: float) -> None:
    noise = np.random.default_rng(0).normal(0, deviation, (SIDE, SIDE, 3))
    noisy = (grey(landscape(0)) + noise).round().clip(0, 255).astype(np.uint8)
    assert kind(noisy) == "grey"
    assert kind(as_jpeg(noisy, 85)) == "grey"


@pytest.mark.parametrize("quality", [None, 95, 85])
@pytest.mark.parametrize("seed", SEEDS)
def test_sepia_is_dropped(seed: int, quality: int | None) -> None:
    toned = (landscape(seed) @ SEPIA.T * 0.9).round().clip(0, 255).astype(np.uint8)
    assert kind(toned if quality is None else as_jpeg(toned, quality)) == "toned"


@pytest.mark.parametrize(
    ("black", "white"), [("#1a0f05", "#fff4dc"), ("#061a3a", "#f4f8ff"), ("#003840", "#ffe0b0")]
)
def test_prints_of_one_or_two_inks_are_dropped(black: str, white: str) -> None:
    image = Image.fromarray(landscape(1)).convert("L")
    assert kind(np.asarray(ImageOps.colorize(image, black, white))) in (
        "toned",
        "one flat colour",
    )


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_one_flat_colour_is_dropped(colour: tuple[int, int, int]) -> None:
    assert kind(np.full((64, 64, 3), colour, np.uint8)) in ("one flat colour", "grey")


def test_a_grey_scene_with_a_spot_of_colour_is_kept() -> None:
    image = grey(landscape(2)).copy()
    assert kind(image) == "grey"
    image[80:112, 30:66] = (170, 40, 30)
    assert kind(image) is None


def test_muted_colours_are_kept() -> None:
    image = landscape(3).astype(float)
    muted = grey(landscape(3)) + 0.3 * (image - grey(landscape(3)))
    assert kind(muted.round().astype(np.uint8)) is None


def test_the_verdict_hardly_depends_on_the_size() -> None:
    image = make_landscape(4, 256)
    at_32 = measure_colour(fit_photo(image, 32, "crop"))
    at_256 = measure_colour(image)
    assert at_32.chroma == pytest.approx(at_256.chroma, rel=0.05)
    assert at_32.spread == pytest.approx(at_256.spread, rel=0.05)
    assert at_32.residual == pytest.approx(at_256.residual, rel=0.1)


def test_no_minimum_accepts_everything() -> None:
    colour = measure_colour(grey(landscape(0)))
    assert colour.lack(0) is None
    assert colour.lack(MINIMUM_CHROMA) is not None


def test_a_photo_that_is_all_black_or_white_is_grey() -> None:
    assert kind(np.zeros((64, 64, 3), np.uint8)) == "grey"
    assert kind(np.full((64, 64, 3), 255, np.uint8)) == "grey"
