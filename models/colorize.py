"""Colour for one photo: arrays in, arrays out, at the photo's own resolution and lightness.

Shapes: H and W are the photo's pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from data_pipeline.errors import InputError
from data_pipeline.lab_tensor import denormalise_lab, lab_to_rgb, normalise_lab, rgb_to_lab
from models.generator import Generator
from models.sides import SIDE_MULTIPLE


@torch.inference_mode()
def colorize(
    photo: npt.NDArray[np.uint8], generator: Generator, *, image_size: int, strength: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Colorize `photo`, grey (H, W) or sRGB (H, W, 3), and return sRGB (H, W, 3).

    `image_size` is the side that the generator was trained at; `strength` scales the chroma: 0
    grey, 1 as learned.
    """
    if strength < 0:
        raise InputError(f"strength must be 0 or more, but got {strength}; use 1 for as learned")
    rgb = photo if photo.ndim == 3 else np.repeat(photo[:, :, None], 3, axis=2)
    height, width = rgb.shape[:2]
    lab_13HW = rgb_to_lab(torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1)[None])
    L_11HW, _ = normalise_lab(lab_13HW)
    scale = image_size / min(height, width)
    size = [
        max(SIDE_MULTIPLE, round(side * scale / SIDE_MULTIPLE) * SIDE_MULTIPLE)
        for side in (height, width)
    ]
    small = functional.interpolate(
        L_11HW, size, mode="bilinear", antialias=True, align_corners=False
    )
    ab_12HW = functional.interpolate(
        generator(small), (height, width), mode="bilinear", align_corners=False
    )
    coloured = lab_to_rgb(denormalise_lab(L_11HW, ab_12HW * strength))
    return (coloured[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
