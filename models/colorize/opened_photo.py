"""A photo file, decoded for colorizing: upright, with all that its coloured copy shall keep.

The bounds and the reasons for a refusal are those of `data_pipeline.decode.photo`; what that leaves
out because a network has no use for it (transparency, 16 bits, EXIF, profiles) is kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps, JpegImagePlugin

from data_pipeline.decode.colour_profile import srgb_transform, to_srgb
from data_pipeline.decode.formats import white_is_zero
from data_pipeline.decode.photo import (
    MAX_JPEG_SCANS,
    MAX_MEGAPIXELS,
    MEGA,
    PhotoError,
    open_image,
    undecodable,
)
from models.colorize.luminance import TransferCurve, profile_light

# Tags of the main EXIF directory that say something about the photo; the others say how the old
# file was laid out (its compression, its thumbnail), which would be false of the new one.
_KEPT_TAGS = frozenset(
    {
        ExifTags.Base.ImageDescription,
        ExifTags.Base.Make,
        ExifTags.Base.Model,
        ExifTags.Base.XResolution,
        ExifTags.Base.YResolution,
        ExifTags.Base.ResolutionUnit,
        ExifTags.Base.Software,
        ExifTags.Base.DateTime,
        ExifTags.Base.Artist,
        ExifTags.Base.HostComputer,
        ExifTags.Base.Copyright,
        ExifTags.Base.Rating,
        ExifTags.Base.XPTitle,
        ExifTags.Base.XPComment,
        ExifTags.Base.XPAuthor,
        ExifTags.Base.XPKeywords,
        ExifTags.Base.XPSubject,
        ExifTags.IFD.Exif,
        ExifTags.IFD.GPSInfo,
    }
)
_STALE_EXIF_TAGS = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


@dataclass
class Photo:
    """A decoded photo."""

    #: 8 bits: an image of mode L, LA, RGB or RGBA; 16 bits: an array (H, W) or (H, W, 2 to 4),
    #: a second or fourth channel being transparency
    pixels: Image.Image | npt.NDArray[np.uint16]
    #: as `data_pipeline.decode.formats.sniff` names it
    format: str
    #: luminance of the codes; None is sRGB's
    light: TransferCurve | None = None
    exif: bytes | None = None
    #: the profile that is true of the coloured copy, which is sRGB
    icc_profile: bytes | None = None
    #: arguments of `Image.save` that make the copy like the original
    save_options: dict[str, Any] = field(default_factory=dict)
    #: what was lost or left out, one line each
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if isinstance(self.pixels, Image.Image):
            return self.pixels.size
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class OpenPhoto:
    """A photo whose header is read and found to be within the bounds."""

    image: ImageFile.ImageFile
    #: as `data_pipeline.decode.formats.sniff` names it
    format: str
    #: the whole file
    data: bytes

    @property
    def n_pixels(self) -> int:
        """Number of pixels that it will have."""
        return self.image.width * self.image.height


def open_photo(data: bytes) -> OpenPhoto:
    """Read a photo's header from its file's bytes. Nothing is decoded yet.

    Raises PhotoError, with the reason, for what is no photo, damaged, too large or a raw file.
    """
    format_name, image = open_image(data)
    if image.width * image.height > MAX_MEGAPIXELS * MEGA:
        raise PhotoError(
            f"too large: {image.width} x {image.height} is more than {MAX_MEGAPIXELS} megapixels"
        )
    if "progressive" in image.info and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise PhotoError(f"cannot be decoded: more than {MAX_JPEG_SCANS} JPEG scans")
    return OpenPhoto(image, format_name, data)


def decode_opened(opened: OpenPhoto) -> Photo:
    """Decode a photo. Raises PhotoError, with the reason, when it is damaged."""
    image, format_name, data = opened.image, opened.format, opened.data
    try:
        options = _save_options(image, format_name, data)
        notes = _left_out(image, format_name)
        wide = _is_wide_colour(image)
        if not wide:  # which Pillow would decode to 8 bits
            image.load()
        exif = _kept_exif(image, notes)
        if wide:
            photo = _wide_colour_photo(image, format_name, data)
        elif image.mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
            photo = _wide_grey_photo(image, format_name)
        else:
            photo = _plain_photo(image, format_name)
    except MemoryError as error:
        raise PhotoError("not enough memory") from error
    except Exception as error:  # Pillow's plugins raise many types on damaged files
        raise undecodable(error) from error
    photo.exif = exif
    photo.save_options = options
    photo.notes = notes + photo.notes
    return photo


def _plain_photo(image: Image.Image, format_name: str) -> Photo:
    """Bring any image of 8 bits to L, LA, RGB or RGBA in sRGB, upright."""
    profile = image.info.get("icc_profile")
    negative = white_is_zero(image)
    notes: list[str] = []
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "CMYK":
        notes.append("CMYK: converted to sRGB")
        return Photo(to_srgb(image), format_name, icc_profile=_srgb_profile(), notes=notes)
    if image.mode == "F":
        notes.append("floating-point pixels: converted to 8 bits")
        return Photo(to_srgb(image, white_is_zero=negative), format_name, notes=notes)
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if profile is None:
        return Photo(image, format_name)
    if image.mode in ("L", "LA"):
        return Photo(image, format_name, light=profile_light(profile, 1))
    transform = srgb_transform(profile, "RGB")
    if transform is None:
        return Photo(image, format_name, icc_profile=profile)
    transparency = image.getchannel("A") if image.mode == "RGBA" else None
    converted: Image.Image = transform.apply(image.convert("RGB"))
    if transparency is not None:
        converted.putalpha(transparency)
    return Photo(converted, format_name, icc_profile=_srgb_profile())


def _wide_grey_photo(image: Image.Image, format_name: str) -> Photo:
    """Bring a grey image of 16 bits to an upright array, (H, W) or with transparency (H, W, 2)."""
    profile = image.info.get("icc_profile")
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    values = np.asarray(image)
    grey = np.clip(values, 0, 65535).astype(np.uint16)
    if white_is_zero(image):
        grey = 65535 - grey
    transparent = image.info.get("transparency")  # a PNG's one grey that is not shown
    if transparent is not None:
        grey = np.dstack([grey, np.where(grey == transparent, 0, 65535).astype(np.uint16)])
    light = profile_light(profile, 1) if profile else None
    return Photo(_turned(grey, orientation), format_name, light=light)


def _wide_colour_photo(image: Image.Image, format_name: str, data: bytes) -> Photo:
    """Decode a colour image of 16 bits, of which Pillow has 8, to an upright array."""
    profile = image.info.get("icc_profile")
    # OpenCV turns a TIFF upright
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if format_name == "PNG" else 1
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        photo = _plain_photo(image, format_name)
        photo.notes.append("16 bits in a way that cannot be read: converted to 8 bits")
        return photo
    order = [2, 1, 0, 3][: pixels.shape[2]]
    rgb: npt.NDArray[np.uint16] = np.ascontiguousarray(pixels[..., order])
    photo = Photo(_turned(rgb, orientation), format_name)
    if profile is not None and srgb_transform(profile, "RGB") is None:
        photo.icc_profile = profile
    elif profile is not None:
        photo.light = profile_light(profile, 3)
        photo.icc_profile = _srgb_profile()
        if photo.light is None:
            photo = _plain_photo(image, format_name)
            photo.notes.append("16 bits with a profile made of tables: converted to 8 bits")
    return photo


def _is_wide_colour(image: ImageFile.ImageFile) -> bool:
    if image.mode not in ("RGB", "RGBA"):
        return False
    if image.format == "TIFF":
        bits: tuple[int, ...] = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        return max(bits) == 16
    return image.format == "PNG" and any("16" in str(tile[3]) for tile in image.tile)


def _turned(pixels: npt.NDArray[np.uint16], orientation: int) -> npt.NDArray[np.uint16]:
    """Turn an array upright by its EXIF orientation (1 to 8)."""
    if orientation in (2, 3):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4):
        pixels = pixels[::-1]
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _kept_exif(image: Image.Image, notes: list[str]) -> bytes | None:
    """EXIF without what the coloured copy makes untrue; None when there is none."""
    try:
        exif = Image.Exif()
        original = image.getexif()
        exif.load(original.tobytes())
        for tag in list(exif):
            if tag not in _KEPT_TAGS:
                del exif[tag]
        if ExifTags.IFD.Exif in exif:
            details = exif.get_ifd(ExifTags.IFD.Exif)
            for tag in _STALE_EXIF_TAGS:
                details.pop(tag, None)
        return exif.tobytes() if len(exif) else None
    except Exception:  # whatever is wrong with the EXIF, the picture is still good
        notes.append("damaged EXIF: not kept")
        return None


def _save_options(image: ImageFile.ImageFile, format_name: str, data: bytes) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        options["qtables"] = [list(table) for table in image.quantization.values()][:2]
        # what a grey photo's copy has in colour is smooth: half the resolution will do
        sampling = JpegImagePlugin.get_sampling(image) if image.layers == 3 else -1
        options["subsampling"] = 2 if sampling < 0 else sampling
        options["progressive"] = bool(image.info.get("progressive"))
    elif format_name == "TIFF":
        options["compression"] = image.info.get("compression")
    elif format_name == "WEBP":
        options["lossless"] = b"VP8L" in data[:4096]
    if format_name in ("JPEG", "PNG", "TIFF") and "dpi" in image.info:
        options["dpi"] = image.info["dpi"]
    return options


def _left_out(image: ImageFile.ImageFile, format_name: str) -> list[str]:
    if format_name == "JPEG" or not getattr(image, "is_animated", False):
        return []  # further pictures in a JPEG are previews and depth maps
    return ["several pages: first page only" if format_name == "TIFF" else "animated: first frame"]


@cache
def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
