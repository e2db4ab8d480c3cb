"""Colour for one photo: array in, array out, at the photo's own resolution and lightness.

    photo -> lightness at the network's size -> chroma -> chroma field -> the photo's pixels

Shapes: H and W are the photo's pixels, h and w the network's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from data_pipeline.decode.photo import Fit
from data_pipeline.errors import InputError
from models.colorize.chroma_field import fit_chroma
from models.colorize.luminance import PixelArray, TransferCurve, lightness, luminance
from models.colorize.pixels import recolor
from models.colorize.prediction import (
    cut_squares,
    join_squares,
    network_size,
    predict_chroma,
)
from models.networks.generator import Generator

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Colorized:
    """A coloured photo."""

    #: sRGB (H, W, 3), of the input's depth
    rgb: PixelArray
    #: pixels whose colour lay outside sRGB and lost chroma, at the same lightness and hue
    n_reduced: int


def colorize(
    photo: PixelArray,
    generator: Generator,
    *,
    image_size: int,
    fit: Fit = "crop",
    strength: float = 1.0,
) -> PixelArray:
    """Colorize `photo`, grey (H, W) or sRGB (H, W, 3) in 8 or 16 bits: sRGB (H, W, 3), same depth.

    `generator` is in eval mode and was trained on photos of `image_size` pixels a side, `fit` to it
    by cropping or squashing. `strength` scales the chroma: 0 grey, 1 as learned, above 1 more. The
    lightness L* of each pixel is kept.
    """
    return colorize_counting(
        photo, generator, image_size=image_size, fit=fit, strength=strength
    ).rgb


def colorize_counting(
    photo: PixelArray,
    generator: Generator,
    *,
    image_size: int,
    fit: Fit = "crop",
    strength: float = 1.0,
) -> Colorized:
    """Do as `colorize` does, and tell how many pixels lay outside sRGB."""
    check_strength(strength)
    check_photo(photo)
    height, width = photo.shape[:2]
    h, w = network_size(height, width, image_size, fit)
    L_hw = small_lightness(Image.fromarray(photo) if photo.dtype == np.uint8 else photo, h, w)
    ab_n2SS = predict_chroma(generator, cut_squares(L_hw, image_size))
    ab_2hw = join_squares(ab_n2SS, h, w) * np.float32(strength)
    field = fit_chroma(L_hw, ab_2hw, height=height, width=width)
    rgb = np.empty((height, width, 3), photo.dtype)

    def read(top: int, bottom: int, left: int, right: int) -> PixelArray:
        return photo[top:bottom, left:right]

    def write(top: int, left: int, tile: PixelArray) -> None:
        rgb[top : top + tile.shape[0], left : left + tile.shape[1]] = tile

    return Colorized(rgb, recolor(read, write, field))


def check_strength(strength: float) -> None:
    """Raise InputError unless `strength` is a number that chroma can be scaled by."""
    if not 0 <= strength <= 100:  # also refuses NaN
        raise InputError(
            f"strength must be from 0 (grey) to 100, but got {strength}; 1 is as learned"
        )


def check_photo(photo: PixelArray) -> None:
    """Raise InputError unless `photo` is an array that `colorize` takes."""
    channels = photo.shape[2] if photo.ndim == 3 else 1
    if photo.ndim not in (2, 3) or (photo.ndim == 3 and channels != 3) or 0 in photo.shape:
        raise InputError(
            "a photo must be a grey (H, W) or an sRGB (H, W, 3) array, "
            f"but got the shape {photo.shape}"
        )
    if photo.dtype not in (np.uint8, np.uint16):
        raise InputError(f"a photo must be uint8 or uint16, but got {photo.dtype}")


def small_lightness(
    photo: Image.Image | PixelArray, h: int, w: int, light: TransferCurve | None = None
) -> FloatArray:
    """L* (h, w) in [0, 100] of a grey or RGB photo, reduced to the network's size.

    Images have 8 bits; a further channel is transparency and does not count.
    """
    if isinstance(photo, Image.Image):
        small = np.asarray(photo.resize((w, h), Image.Resampling.LANCZOS, reducing_gap=2.0))
    else:
        shrinks = h < photo.shape[0]
        wide = cv2.resize(
            photo, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        )
        small = wide.reshape(h, w, *photo.shape[2:])
    n_channels = small.shape[2] if small.ndim == 3 else 1
    colours = small if n_channels in (1, 3) else small[..., :-1]
    return lightness(luminance(colours if n_channels >= 3 else colours.reshape(h, w), light))
