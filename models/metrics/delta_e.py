"""CIEDE2000, the colour difference that follows the eye.

Source: Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula: Implementation Notes,
Supplementary Test Data, and Mathematical Observations", Color Research and Application 30(1),
2005, eqs. 2-22, https://doi.org/10.1002/col.20070. The names below are the paper's.

The paper's hue angles are traded for unit vectors, which saves most trigonometry and all the
wrapping at 360 degrees: the mean hue is the direction of their sum, the multiples of the mean hue
are powers of a complex number, and the hue difference follows from Pythagoras.

Shapes: N photos, H and W pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def delta_e(real_lab_N3HW: Tensor, fake_lab_N3HW: Tensor) -> Tensor:
    """Mean CIEDE2000 difference of each photo, shape (N,); about 1 is just noticeable, 0 identical.

    Symmetric. NaN in gives NaN out.
    """
    return _ciede2000(real_lab_N3HW, fake_lab_N3HW).mean(dim=(1, 2))


def _ciede2000(lab_1: Tensor, lab_2: Tensor) -> Tensor:
    L_1, a_1, b_1 = lab_1.unbind(dim=1)
    L_2, a_2, b_2 = lab_2.unbind(dim=1)

    mean_C_ab = 0.5 * (torch.hypot(a_1, b_1) + torch.hypot(a_2, b_2))
    a_scale = 1.5 - 0.5 * _high_chroma(mean_C_ab)  # 1 + G, eqs. 4-5
    a_1, a_2 = a_1 * a_scale, a_2 * a_scale
    C_1, C_2 = torch.hypot(a_1, b_1), torch.hypot(a_2, b_2)
    delta_C = C_2 - C_1
    mean_C = 0.5 * (C_1 + C_2)

    cos_h, sin_h, forwards = _mean_hue(a_1, b_1, C_1, a_2, b_2, C_2)

    # |delta_H|^2 = |difference in the ab plane|^2 - delta_C^2; the sign is that of the turn.
    plane_distance_squared = (a_2 - a_1).square() + (b_2 - b_1).square()
    delta_H = (plane_distance_squared - delta_C.square()).clamp_min(0.0).sqrt()
    delta_H = torch.where(forwards, delta_H, -delta_H)

    T = _hue_weight(cos_h, sin_h)
    lightness = (0.5 * (L_1 + L_2) - 50.0).square()
    S_L = 1.0 + 0.015 * lightness / (20.0 + lightness).sqrt()
    S_C = 1.0 + 0.045 * mean_C
    S_H = 1.0 + 0.015 * mean_C * T

    # The rotation in the blues, around a hue of 275 degrees = -85 degrees, eqs. 16-19.
    degrees_from_blue = torch.rad2deg(torch.atan2(sin_h, cos_h)) + 85.0
    two_delta_theta = math.radians(60.0) * torch.exp(-(degrees_from_blue / 25.0).square())
    R_T = -two_delta_theta.sin() * 2.0 * _high_chroma(mean_C)

    light, chroma, hue = (L_2 - L_1) / S_L, delta_C / S_C, delta_H / S_H
    squared = light.square() + chroma.square() + hue.square() + R_T * chroma * hue
    return squared.clamp_min(0.0).sqrt()


def _high_chroma(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)): 0 for grey, towards 1 for vivid colours."""
    cubed = chroma * chroma * chroma
    seventh = cubed * cubed * chroma
    return (seventh / (seventh + 25.0**7)).sqrt()


def _mean_hue(
    a_1: Tensor, b_1: Tensor, C_1: Tensor, a_2: Tensor, b_2: Tensor, C_2: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Cosine and sine of the mean hue along the shorter arc; grey takes the other's hue.

    And whether the turn from the first colour's hue to the second's is towards greater angles.
    """
    tiny = torch.finfo(C_1.dtype).tiny
    inverse_1, inverse_2 = 1.0 / C_1.clamp_min(tiny), 1.0 / C_2.clamp_min(tiny)
    cos_1, sin_1 = a_1 * inverse_1, b_1 * inverse_1
    cos_2, sin_2 = a_2 * inverse_2, b_2 * inverse_2
    x, y = cos_1 + cos_2, sin_1 + sin_2
    # Exactly opposite hues: the mean of the two angles in [0, 360), which is a quarter turn ahead
    # of the smaller angle and thus of the one in the upper half plane. What rounding leaves of
    # their sum would be a direction at random, another one when the colours change places.
    rounding = 4.0 * torch.finfo(C_1.dtype).eps
    opposite = (x.abs() <= rounding) & (y.abs() <= rounding)
    higher = sin_1 - sin_2
    upper = torch.where(higher.abs() <= rounding, cos_1 > cos_2, higher > 0.0)
    x = torch.where(opposite, torch.where(upper, -sin_1, sin_1), x)
    y = torch.where(opposite, torch.where(upper, cos_1, -cos_1), y)
    inverse = 1.0 / torch.hypot(x, y).clamp_min(tiny)
    forwards = torch.where(opposite, upper, a_1 * b_2 >= b_1 * a_2)
    return x * inverse, y * inverse, forwards


def _hue_weight(cos_h: Tensor, sin_h: Tensor) -> Tensor:
    """T of eq. 15, with the cosines of the multiples of the mean hue from angle addition."""
    cos_2h, sin_2h = cos_h.square() - sin_h.square(), 2.0 * cos_h * sin_h
    cos_3h, sin_3h = cos_2h * cos_h - sin_2h * sin_h, sin_2h * cos_h + cos_2h * sin_h
    cos_4h, sin_4h = cos_2h.square() - sin_2h.square(), 2.0 * cos_2h * sin_2h

    def cos_shifted(cos: Tensor, sin: Tensor, degrees: float) -> Tensor:
        """cos(angle + degrees)."""
        return cos * math.cos(math.radians(degrees)) - sin * math.sin(math.radians(degrees))

    return (
        1.0
        - 0.17 * cos_shifted(cos_h, sin_h, -30.0)
        + 0.24 * cos_2h
        + 0.32 * cos_shifted(cos_3h, sin_3h, 6.0)
        - 0.20 * cos_shifted(cos_4h, sin_4h, -63.0)
    )
