"""Photos to be coloured by a network that answers with one colour, and what came of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from skimage.color import rgb2lab

from models.bundle.store import Bundle
from models.colorize.paths import PhotoResult, colorize_paths
from models.networks.generator import Generator


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
