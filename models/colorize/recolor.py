"""A decoded photo given its chroma, and set beside its original."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.colorize.chroma_field import ChromaField
from models.colorize.luminance import PixelArray
from models.colorize.opened_photo import Photo
from models.colorize.pixels import recolor

WideArray = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Recolored:
    """A coloured photo."""

    #: RGB or RGBA, of the photo's depth
    pixels: Image.Image | WideArray
    #: pixels whose colour lay outside sRGB and lost chroma, at the same lightness and hue
    n_reduced: int


def recolor_photo(photo: Photo, field: ChromaField, *, compare: bool) -> Recolored:
    """Give a photo the chroma of `field`.

    With `compare` the original stands to the left of the result, twice as wide. The pixels of
    `photo` may be used up.
    """
    if not compare:
        if isinstance(photo.pixels, Image.Image):
            return _recolor_image(photo.pixels, field, photo)
        return _recolor_array(photo.pixels, field, photo)
    original = _original(photo, field)
    result = recolor_photo(photo, field, compare=False)
    coloured = result.pixels
    if isinstance(original, Image.Image) and isinstance(coloured, Image.Image):
        both = Image.new(coloured.mode, (2 * coloured.width, coloured.height))
        both.paste(original.convert(coloured.mode), (0, 0))
        both.paste(coloured, (coloured.width, 0))
        return Recolored(both, result.n_reduced)
    wide = np.concatenate([np.asarray(original), np.asarray(coloured)], axis=1)
    return Recolored(wide, result.n_reduced)


def _original(photo: Photo, field: ChromaField) -> Image.Image | WideArray:
    """The photo before, as sRGB."""
    if photo.light is not None:
        grey = ChromaField(np.zeros_like(field.planes_4hw), field.height, field.width)
        copy = photo.pixels.copy()
        return recolor_photo(Photo(copy, photo.format, photo.light), grey, compare=False).pixels
    pixels = photo.pixels
    if isinstance(pixels, Image.Image) or (pixels.ndim == 3 and pixels.shape[2] >= 3):
        return pixels.copy()
    grey_and_alpha = np.atleast_3d(pixels)
    return np.dstack(
        [grey_and_alpha[..., 0]] * 3 + list(grey_and_alpha[..., 1:].transpose(2, 0, 1))
    )


def _recolor_image(image: Image.Image, field: ChromaField, photo: Photo) -> Recolored:
    """Colour an image of mode L, LA, RGB or RGBA; RGB and RGBA are changed in place."""
    transparent = image.mode in ("LA", "RGBA")
    out = image
    if image.mode in ("L", "LA"):
        out = Image.new("RGBA" if transparent else "RGB", image.size, None)  # filled below
    alpha: npt.NDArray[np.uint8] = np.empty(0, np.uint8)

    def read(top: int, bottom: int, left: int, right: int) -> PixelArray:
        nonlocal alpha
        tile = np.asarray(image.crop((left, top, right, bottom)))
        if not transparent:
            return tile
        alpha = tile[..., -1]
        return tile[..., 0] if image.mode == "LA" else tile[..., :3]

    def write(top: int, left: int, tile: PixelArray) -> None:
        if transparent:
            tile[..., 3] = alpha
        size = tile.shape[1], tile.shape[0]
        # shares the tile's memory, and Pillow takes RGBA for RGB without converting it
        out.paste(Image.frombuffer("RGBA", size, tile, "raw", "RGBA", 0, 1), (left, top))

    return Recolored(out, recolor(read, write, field, photo.light))


def _recolor_array(pixels: WideArray, field: ChromaField, photo: Photo) -> Recolored:
    """Colour an array (H, W) or (H, W, 2 to 4); one of 3 or 4 channels is changed in place."""
    n_channels = pixels.shape[2] if pixels.ndim == 3 else 1
    colours, out = pixels[..., :3], pixels
    if n_channels < 3:
        colours = pixels if pixels.ndim == 2 else pixels[..., 0]
        out = np.empty((*pixels.shape[:2], n_channels + 2), np.uint16)
        if n_channels == 2:
            out[..., 3] = pixels[..., 1]

    def read(top: int, bottom: int, left: int, right: int) -> PixelArray:
        return colours[top:bottom, left:right]

    def write(top: int, left: int, tile: PixelArray) -> None:
        out[top : top + tile.shape[0], left : left + tile.shape[1], :3] = tile[..., :3]

    return Recolored(out, recolor(read, write, field, photo.light))
