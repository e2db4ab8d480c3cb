"""Any Pillow image to sRGB: pixel modes, transparency, 16-bit values and embedded ICC profiles."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, ImageOps

# Two profiles are taken as the same when a cube of colours comes out equal up to this code; nearly
# all photos carry some variant of sRGB, and converting those would cost time for nothing.
_SAME_WITHIN = 2


def to_srgb(image: Image.Image, *, white_is_zero: bool = False) -> Image.Image:
    """Convert a loaded image of any mode to mode RGB in sRGB; transparent pixels come out white.

    `white_is_zero` is for grey of more than 8 bits that is stored as a negative.

    Raises:
        ValueError: Pillow has no conversion from the image's mode.
    """
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _grey_8bit(image)
        if white_is_zero:
            image = ImageOps.invert(image)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    if image.mode not in ("RGB", "CMYK"):
        image = image.convert("RGB")
    transform = srgb_transform(profile, image.mode) if profile else None
    if transform is not None:
        return transform.apply(image)
    return image.convert("RGB")


def _grey_8bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.float32)
    # 16-bit files come as 0..65535 in several modes; floating point as 0..1 or 0..255
    largest = float(values.max(initial=0.0))
    if image.mode == "F":
        white = 1.0 if largest <= 1.0 else 255.0 if largest <= 255.0 else 65535.0
    else:
        white = 65535.0
    if not np.isfinite(values).all():
        raise ValueError("pixels are not finite")
    return Image.fromarray(np.clip(values * (255.0 / white) + 0.5, 0, 255).astype(np.uint8))


@lru_cache(maxsize=16)
def srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the conversion of a profile to sRGB; None where it changes nothing or is damaged."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError):
        return None  # damaged, or a profile for another kind of pixels: do as if there were none
    if mode != "RGB":
        return transform
    steps = np.linspace(0, 255, 6).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(6, 36, 3)
    converted = np.asarray(transform.apply(Image.fromarray(cube)))
    changed = np.abs(converted.astype(int) - cube).max() > _SAME_WITHIN
    return transform if changed else None
