"""Colour for one decoded photo, at its own resolution and lightness.

    photo -> lightness at the network's size -> chroma -> chroma field -> the photo's pixels

`colorize` does it for an array, `colorize_photo` for a photo with transparency and a profile of its
own; `paths` takes the steps in between apart, to show the squares of several photos to the network
in one batch.

Shapes: H and W are the photo's pixels, h and w the network's, S the side of its squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from data_pipeline.decode.photo import Fit
from data_pipeline.errors import InputError
from models.bundle.store import Bundle
from models.colorize.chroma_field import FloatArray, fit_chroma
from models.colorize.luminance import PixelArray, TransferCurve, lightness, luminance
from models.colorize.opened_photo import Photo
from models.colorize.prediction import cut_squares, join_squares, network_size, predict_chroma
from models.colorize.recolor import Recolored, recolor_photo
from models.networks.generator import Generator


@dataclass(frozen=True)
class NetworkInput:
    """What the network is shown of a photo."""

    #: L* at the network's size, (h, w) in [0, 100]
    L_hw: FloatArray
    #: the squares that cover it, (n, S, S)
    squares: FloatArray


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
    check_photo(photo)
    is_wide = photo.dtype == np.uint16
    pixels = photo.astype(np.uint16, order="C") if is_wide else Image.fromarray(photo)
    bundle = Bundle(generator=generator, config={"image_size": image_size, "fit": fit})
    return np.array(colorize_photo(Photo(pixels, ""), bundle, strength=strength).pixels)


def colorize_photo(
    photo: Photo, bundle: Bundle, *, strength: float = 1.0, compare: bool = False
) -> Recolored:
    """Colorize a decoded photo, whose pixels may be used up; see `colorize` and `recolor_photo`."""
    check_strength(strength)
    shown = network_input(photo, bundle)
    ab_n2SS = predict_chroma(bundle.generator, shown.squares)
    return apply_chroma(photo, shown, ab_n2SS, strength=strength, compare=compare)


def network_input(photo: Photo, bundle: Bundle) -> NetworkInput:
    """What the network of `bundle` is shown of a photo."""
    width, height = photo.size
    h, w = network_size(height, width, bundle.image_size, bundle.fit)
    L_hw = small_lightness(photo.pixels, h, w, photo.light)
    return NetworkInput(L_hw, cut_squares(L_hw, bundle.image_size))


def apply_chroma(
    photo: Photo, shown: NetworkInput, ab_n2SS: FloatArray, *, strength: float, compare: bool
) -> Recolored:
    """Colour a photo by the network's answer to its squares, (n, 2, S, S) in CIELAB units."""
    width, height = photo.size
    ab_2hw = join_squares(ab_n2SS, *shown.L_hw.shape) * np.float32(strength)
    field = fit_chroma(shown.L_hw, ab_2hw, height=height, width=width)
    return recolor_photo(photo, field, compare=compare)


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
