"""Metrics that compare each pixel with its original. All of them forgive grey; read them as guards.

Every function returns one value a photo, shape (N,), except `grey_skill`, which is defined over
a whole set. NaN in gives NaN out.

Shapes: N photos, H and W pixels; `rgb` is sRGB in [0, 1], `lab` is in CIELAB units.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from data_pipeline.lab_tensor import AB_SCALE

#: PSNR of identical photos, in dB, in place of infinity
PSNR_CEILING = 100.0
#: the all-grey answer's l1 below which a set counts as grey (0.01 CIELAB units)
GREY_L1_FLOOR = 0.01 / AB_SCALE

# Wang et al. 2004, section III-B and III-C: an 11 x 11 Gaussian window of sigma 1.5.
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_K1, SSIM_K2 = 0.01, 0.03


def l1(real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> Tensor:
    """Mean absolute error of a and b (CIELAB units), divided by 127: the reconstruction loss.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks",
    CVPR 2017, section 3.1, https://arxiv.org/abs/1611.07004.
    """
    return (fake_ab_N2HW - real_ab_N2HW).abs().mean(dim=(1, 2, 3)) / AB_SCALE


def grey_skill(l1: float, grey_l1: float) -> float:
    """Skill against the all-grey answer over a whole set: 1 - l1 / grey_l1.

    1 is the truth, 0 is as good as grey, below 0 is worse than painting nothing. `grey_l1` has a
    floor of 0.01 CIELAB units, so a set without any colour has skill 1 for grey and a finite,
    strongly negative one for colours.

    Source: the mean-error skill score with the grey picture as the reference forecast, Murphy,
    "Skill Scores Based on the Mean Square Error and Their Relationships to the Correlation
    Coefficient", Monthly Weather Review 116, 1988, section 2,
    https://doi.org/10.1175/1520-0493(1988)116<2417:SSBOTM>2.0.CO;2, with l1 for the error.
    """
    return 1.0 - l1 / (grey_l1 if math.isnan(grey_l1) else max(grey_l1, GREY_L1_FLOOR))


def psnr(real_rgb_N3HW: Tensor, fake_rgb_N3HW: Tensor) -> Tensor:
    """Peak signal-to-noise ratio on sRGB, in dB, at most 100 (identical photos).

    Source: ITU-T J.340 (2010), section 6, https://www.itu.int/rec/T-REC-J.340; peak 1, squared
    error averaged over the three channels.
    """
    squared_error_N = (fake_rgb_N3HW - real_rgb_N3HW).square().mean(dim=(1, 2, 3))
    return -10.0 * squared_error_N.clamp_min(10.0 ** (-PSNR_CEILING / 10.0)).log10()


def ssim(real_rgb_N3HW: Tensor, fake_rgb_N3HW: Tensor) -> Tensor:
    """Structural similarity on sRGB, mean over channels and all whole windows; 1 is identical.

    The window is an 11 x 11 Gaussian of sigma 1.5 with population covariances, as in the paper and
    as in scikit-image with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=1`. Raises ValueError for photos smaller than the window.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", IEEE TIP 13(4), 2004, eq. 13, https://doi.org/10.1109/TIP.2003.819861.
    """
    height, width = real_rgb_N3HW.shape[-2:]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(
            f"ssim needs photos of at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels, "
            f"but got {width} x {height}"
        )
    like = (real_rgb_N3HW.dtype, real_rgb_N3HW.device)
    rows, columns = _gaussian_band(height, *like), _gaussian_band(width, *like).T

    def blur(image: Tensor) -> Tensor:
        # A separable window as two banded matrix products: ten times faster on a CPU than
        # convolutions with one channel.
        return rows @ image @ columns

    x, y = real_rgb_N3HW, fake_rgb_N3HW
    mean_x, mean_y = blur(x), blur(y)
    mean_xy = mean_x * mean_y
    mean_squares = mean_x.square() + mean_y.square()
    # Only the sum of the two variances is needed, so one blur serves both.
    variances = blur(x.square() + y.square()) - mean_squares
    covariance = blur(x * y) - mean_xy
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    similarity = ((2.0 * mean_xy + c1) * (2.0 * covariance + c2)) / (
        (mean_squares + c1) * (variances + c2)
    )
    return similarity.mean(dim=(1, 2, 3))


@lru_cache(maxsize=8)
def _gaussian_band(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Matrix (side - 10, side) that blurs a column of `side` pixels where the window fits."""
    offsets = torch.arange(SSIM_WINDOW, dtype=torch.float64) - SSIM_WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    band = torch.zeros(side - SSIM_WINDOW + 1, side, dtype=torch.float64)
    for i in range(band.shape[0]):
        band[i, i : i + SSIM_WINDOW] = weights / weights.sum()
    return band.to(device, dtype)
