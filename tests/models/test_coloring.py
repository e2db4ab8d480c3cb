"""Colour for arrays and Pillow images: the same colours, and the image's own form."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from data_pipeline.errors import InputError
from models import Bundle, colorize_image
from models.colorize.pipeline import colorize
from tests.models.trained_bundle import trained_generator


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle(generator=trained_generator(), config={"image_size": 64, "fit": "crop"})


@pytest.fixture(scope="module")
def grey() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (5, 7), dtype=np.uint8))
    return np.asarray(small.resize((70, 50), Image.Resampling.BICUBIC))


def test_an_array_and_an_image_get_the_same_colours(bundle: Bundle, grey: np.ndarray) -> None:
    array = colorize_image(grey, bundle, strength=1.5)
    np.testing.assert_array_equal(
        array, colorize(grey, bundle.generator, image_size=64, fit="crop", strength=1.5)
    )
    given = Image.fromarray(grey)
    for photo in (given, given.convert("RGB")):
        before = photo.tobytes()
        coloured = colorize_image(photo, bundle, strength=1.5)
        assert (coloured.mode, coloured.size) == ("RGB", (70, 50))
        np.testing.assert_array_equal(np.asarray(coloured), array)
        assert photo.tobytes() == before
    assert array.std(axis=2).max() > 1


def test_an_image_keeps_its_transparency_and_comes_upright(
    bundle: Bundle, grey: np.ndarray
) -> None:
    alpha = Image.linear_gradient("L").resize((70, 50))
    photo = Image.merge("LA", (Image.fromarray(grey), alpha))
    coloured = colorize_image(photo, bundle)
    assert coloured.mode == "RGBA"
    assert coloured.getchannel("A").tobytes() == alpha.tobytes()
    # As it is coloured without transparency; in one channel its light is summed in another order.
    opaque = colorize_image(np.repeat(grey[..., None], 3, axis=2), bundle)
    np.testing.assert_array_equal(np.asarray(coloured)[..., :3], opaque)
    assert np.abs(np.int16(opaque) - colorize_image(grey, bundle)).max() <= 1
    lying = Image.fromarray(grey)
    lying.getexif()[0x0112] = 6  # orientation: to be turned by 90 degrees
    assert colorize_image(lying, bundle).size == (50, 70)


def test_sixteen_bits_stay_and_other_arrays_are_refused(bundle: Bundle, grey: np.ndarray) -> None:
    wide = colorize_image(grey.astype(np.uint16) * 257, bundle)
    assert wide.dtype == np.uint16
    with pytest.raises(InputError, match="uint8 or uint16, but got float64"):
        colorize_image(grey / 255, bundle)
    with pytest.raises(InputError, match="strength must be"):
        colorize_image(Image.fromarray(grey), bundle, strength=-1)
