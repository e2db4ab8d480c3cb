"""Predicted colours as a screen shows them: clipped to the sRGB gamut.

A generator may ask for colours that no screen has; judging those would reward or punish what
nobody sees. The clip is the one that every photo viewer applies, channel by channel:
Lab -> linear RGB -> clip to [0, 1] -> Lab.

Shapes: N photos, H and W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from data_pipeline.lab_tensor import (
    denormalise_lab,
    lab_to_linear,
    linear_to_lab,
    linear_to_srgb,
)

# Rounding and the photo's own 8-bit codes put honest colours this far outside (in linear light);
# a third of the smallest step of an 8-bit code, 1 / 255 / 12.92.
GAMUT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Colors:
    """The same colours in the two spaces in which metrics are computed."""

    #: CIELAB, (N, 3, H, W)
    lab: Tensor
    #: sRGB in [0, 1], (N, 3, H, W)
    rgb: Tensor

    @property
    def ab(self) -> Tensor:
        """a* and b* in CIELAB units, (N, 2, H, W)."""
        return self.lab[:, 1:]


def displayed_colors(L_N1HW: Tensor, ab_N2HW: Tensor) -> Colors:
    """Return the colours that a screen shows for L and ab in [-1, 1] (`L/50 - 1`, `ab/127`).

    Pixels inside the gamut keep their L, a and b bit for bit. Pixels outside take the L, a and b of
    the clipped RGB, so their lightness moves exactly as it does on the screen. NaN stays NaN.
    """
    lab = denormalise_lab(L_N1HW.float(), ab_N2HW.float())
    linear = lab_to_linear(lab)
    clipped = linear.clamp(0.0, 1.0)
    outside_N1HW = ((linear - clipped).abs() > GAMUT_TOLERANCE).any(dim=1, keepdim=True)
    return Colors(
        lab=torch.where(outside_N1HW, linear_to_lab(clipped), lab), rgb=linear_to_srgb(clipped)
    )
