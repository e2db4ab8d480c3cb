"""Small made-up photos."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

RGBArray = npt.NDArray[np.uint8]


def paint(seed: int, height: int = 48, width: int = 64) -> RGBArray:
    """A sky of one hue over land of another, smooth as a photo is; (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(60, 200, (4, 5, 3))
    coarse[:2] += rng.uniform(-40, 40, 3)
    coarse[2:] += rng.uniform(-40, 40, 3)
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))
