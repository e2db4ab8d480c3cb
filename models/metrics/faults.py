"""Faults that people name when they look at the colours: brown foliage, orange skies, wrong hues.

They are for comparing generators in documents and no columns of a search. Like the metrics they are
about displayed colours (`gamut`). Each function returns a numerator and a denominator for each
photo, means over its pixels; the measure is the sum of the numerators over that of the denominators
(`ratio`), so that photos without anything green, say, have no part in it. NaN in gives NaN out.

Hue is the CIELAB hue angle atan2(b*, a*) in degrees from 0 to 360, chroma is sqrt(a*^2 + b*^2) (CIE
15:2004, eqs. 8.11 and 8.12). In these units the primaries of sRGB have hues of 40 (red), 103
(yellow), 136 (green), 196 (cyan) and 306 (blue). The bounds below are ours, set by looking at what
they pick of landscapes: meadows and forests begin at 100, below are dry grass and sand.

Shapes: N photos, H and W pixels, R = 3 regions; `ab` and `lab` are in CIELAB units.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: hue of what is green, degrees
GREEN_HUES = (100.0, 170.0)
#: chroma from which a pixel of a photo is green, and from which an output's is (grey is not)
GREEN_CHROMA = 10.0
PAINTED_GREEN_CHROMA = 5.0
#: a sky: in the upper half of the photo, at least this light, and of a chroma below that of grey or
#: of a hue among blues (clouds, haze and the sea's horizon are among it, sunsets are not) ...
SKY_LIGHTNESS = 50.0
SKY_GREY_CHROMA = 8.0
SKY_HUES = (200.0, 310.0)
#: ... and what makes it orange
ORANGE_HUES = (30.0, 100.0)
ORANGE_CHROMA = 15.0
#: below this chroma there is no hue: such a pixel of a photo does not count, such an output errs as
#: much as a random one does in the mean
HUELESS_CHROMA = 1.0
HUELESS_ERROR = 90.0
REGIONS = ("top", "middle", "bottom")


def green_kept(real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> Tensor:
    """Truly green pixels that come out green, and truly green pixels: two shares of all, (N, 2).

    Their ratio is 1 for the truth and 0 for grey, however vivid the rest is.
    """
    real_hue, real_chroma = hue_and_chroma(real_ab_N2HW)
    fake_hue, fake_chroma = hue_and_chroma(fake_ab_N2HW)
    green = _between(real_hue, GREEN_HUES) & (real_chroma >= GREEN_CHROMA)
    painted = _between(fake_hue, GREEN_HUES) & (fake_chroma >= PAINTED_GREEN_CHROMA)
    return _shares(green & painted, green) + _nan_or_zero(real_ab_N2HW, fake_ab_N2HW)


def orange_skies(real_lab_N3HW: Tensor, fake_ab_N2HW: Tensor) -> Tensor:
    """Pixels of blue or grey skies that come out orange, and pixels of such skies: shares, (N, 2).

    Their ratio is 0 for the truth and for grey.
    """
    height = real_lab_N3HW.shape[2]
    upper = torch.arange(height, device=real_lab_N3HW.device)[:, None] < height // 2
    real_hue, real_chroma = hue_and_chroma(real_lab_N3HW[:, 1:])
    fake_hue, fake_chroma = hue_and_chroma(fake_ab_N2HW)
    cold = (real_chroma < SKY_GREY_CHROMA) | _between(real_hue, SKY_HUES)
    sky = upper & (real_lab_N3HW[:, 0] >= SKY_LIGHTNESS) & cold
    orange = _between(fake_hue, ORANGE_HUES) & (fake_chroma >= ORANGE_CHROMA)
    return _shares(sky & orange, sky) + _nan_or_zero(real_lab_N3HW, fake_ab_N2HW)


def hue_error(real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> Tensor:
    """True chroma times the hue's error, and true chroma, of thirds of each photo, (N, 3, 2).

    The thirds are the photo's top, middle and bottom rows. The error is the angle between true and
    given hue, from 0 to 180 degrees. Their ratio is thus the mean error of colours, in degrees, in
    which a vivid pixel counts as much as its chroma: 0 for the truth, 90 for grey and for hues at
    random. How vivid the output is makes no difference, unless it is grey.
    """
    real_hue, real_chroma = hue_and_chroma(real_ab_N2HW)
    fake_hue, fake_chroma = hue_and_chroma(fake_ab_N2HW)
    turn = (fake_hue - real_hue).abs()
    error = torch.minimum(turn, 360.0 - turn)
    error = torch.where(fake_chroma < HUELESS_CHROMA, HUELESS_ERROR, error)
    weight = torch.where(real_chroma < HUELESS_CHROMA, 0.0, real_chroma)
    parts = [
        torch.stack([part.mean(dim=(1, 2)) for part in region], dim=1)
        for region in zip(
            (error * weight).tensor_split(len(REGIONS), dim=1),
            weight.tensor_split(len(REGIONS), dim=1),
            strict=True,
        )
    ]
    return torch.stack(parts, dim=1)


def ratio(numerator: float, denominator: float) -> float:
    """The measure of a set from sums (or means) over its photos; NaN if it has no such pixel."""
    return numerator / denominator if denominator != 0.0 else math.nan


def hue_and_chroma(ab_N2HW: Tensor) -> tuple[Tensor, Tensor]:
    """Hue angle in degrees, at least 0 and below 360 (0 for grey), and chroma, both (N, H, W)."""
    a, b = ab_N2HW.unbind(dim=1)
    return torch.rad2deg(torch.atan2(b, a)).remainder(360.0), torch.hypot(a, b)


def _between(hue_NHW: Tensor, bounds: tuple[float, float]) -> Tensor:
    return (hue_NHW >= bounds[0]) & (hue_NHW < bounds[1])


def _shares(*masks_NHW: Tensor) -> Tensor:
    return torch.stack([mask.float().mean(dim=(1, 2)) for mask in masks_NHW], dim=1)


def _nan_or_zero(*colors: Tensor) -> Tensor:
    # Comparisons take NaN for an ordinary colour.
    return 0.0 * sum(each.sum(dim=(1, 2, 3)) for each in colors)[:, None]  # type: ignore[index]
