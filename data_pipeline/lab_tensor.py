"""sRGB <-> CIELAB on torch tensors of shape (N, 3, H, W); the formulas are those of `lab`.

Shapes: N photos, H and W pixels. Networks see L scaled to `L/50 - 1`, in [-1, 1], and a, b
scaled to `/127`, in about [-0.85, 0.78].
"""

from __future__ import annotations

import torch
from torch import Tensor

from data_pipeline.lab import DELTA, RGB_TO_XYZ, WHITE_D65

L_HALF_RANGE = 50.0
AB_SCALE = 127.0


def denormalise_lab(L_N1HW: Tensor, ab_N2HW: Tensor) -> Tensor:
    """Join L in [-1, 1] and ab in [-1, 1] into Lab, (N, 3, H, W) in CIELAB units."""
    return torch.cat([(L_N1HW + 1.0) * L_HALF_RANGE, ab_N2HW * AB_SCALE], dim=1)


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Undo the sRGB transfer curve; values in [0, 1]."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0.0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer curve to [0, 1]; negative light stays on the linear branch."""
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1.0 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curved)


def rgb_to_lab(rgb_N3HW: Tensor) -> Tensor:
    """Convert sRGB in [0, 1] to Lab; both (N, 3, H, W)."""
    return linear_to_lab(srgb_to_linear(rgb_N3HW))


def linear_to_lab(linear_N3HW: Tensor) -> Tensor:
    """Convert linear-light RGB in [0, 1] to Lab; both (N, 3, H, W)."""
    matrix = linear_N3HW.new_tensor(RGB_TO_XYZ / WHITE_D65[:, None])
    xyz = torch.einsum("ij,njhw->nihw", matrix, linear_N3HW)
    cube_root = xyz.clamp_min(DELTA**3) ** (1.0 / 3.0)
    x, y, z = torch.where(xyz > DELTA**3, cube_root, xyz / (3 * DELTA**2) + 4.0 / 29.0).unbind(
        dim=1
    )
    return torch.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], dim=1)


def lab_to_linear(lab_N3HW: Tensor) -> Tensor:
    """Convert Lab to linear-light RGB, (N, 3, H, W); outside [0, 1] it is outside sRGB."""
    L, a, b = lab_N3HW.unbind(dim=1)
    y = (L + 16.0) / 116.0
    f = torch.stack([y + a / 500.0, y, y - b / 200.0], dim=1)
    xyz = torch.where(f > DELTA, f**3, 3 * DELTA**2 * (f - 4.0 / 29.0))
    matrix = torch.linalg.inv(
        torch.as_tensor(RGB_TO_XYZ / WHITE_D65[:, None], dtype=torch.float64)
    ).to(lab_N3HW)
    return torch.einsum("ij,njhw->nihw", matrix, xyz)


def lab_to_rgb(lab_N3HW: Tensor) -> Tensor:
    """Convert Lab to sRGB, (N, 3, H, W), clipped to the gamut [0, 1]."""
    return linear_to_srgb(lab_to_linear(lab_N3HW)).clamp(0.0, 1.0)
