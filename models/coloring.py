"""Colour for an array or a Pillow image in a program or notebook.

from models import colorize_image, load_bundle

bundle = load_bundle("exported")
colorize_image(Image.open("photo.jpg"), bundle)
"""

from __future__ import annotations

from typing import overload

import numpy as np
from PIL import Image, ImageOps

from data_pipeline.decode.colour_profile import to_srgb
from data_pipeline.errors import InputError
from models.bundle.store import Bundle
from models.colorize.luminance import PixelArray
from models.colorize.opened_photo import Photo
from models.colorize.pipeline import colorize, colorize_photo


@overload
def colorize_image(photo: Image.Image, bundle: Bundle, *, strength: float = 1.0) -> Image.Image: ...
@overload
def colorize_image(photo: PixelArray, bundle: Bundle, *, strength: float = 1.0) -> PixelArray: ...
def colorize_image(
    photo: Image.Image | PixelArray, bundle: Bundle, *, strength: float = 1.0
) -> Image.Image | PixelArray:
    """Colorize a photo at its own resolution and lightness; `photo` is left as it is.

    Args:
        photo: a Pillow image of any mode, upright afterwards, as sRGB and with its transparency; or
            an array, grey (H, W) or sRGB (H, W, 3), in 8 or 16 bits.
        bundle: as `load_bundle` returns it.
        strength: of the chroma: 0 grey, 1 as learned, above 1 more, up to 100.

    Returns:
        For an image one of mode RGB or RGBA, for an array one (H, W, 3) of the same depth.

    Raises InputError for other arrays, and for a strength out of range.
    """
    if not isinstance(photo, Image.Image):
        return colorize(
            photo, bundle.generator, image_size=bundle.image_size, fit=bundle.fit, strength=strength
        )
    try:
        upright = ImageOps.exif_transpose(photo)
        alpha = upright.convert("RGBA").getchannel("A") if upright.has_transparency_data else None
        if alpha is not None:
            upright = upright.convert("RGB")
        pixels = to_srgb(upright)
    except (OSError, ValueError) as error:
        raise InputError(
            f"a photo must be an image that Pillow can convert to RGB, but: {error}"
        ) from error
    coloured = colorize_photo(Photo(pixels, ""), bundle, strength=strength).pixels
    image = coloured if isinstance(coloured, Image.Image) else Image.fromarray(np.asarray(coloured))
    if alpha is not None:
        image.putalpha(alpha)
    return image
