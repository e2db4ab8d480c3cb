"""Metrics that compare how colours are distributed, not where each pixel's colour should be.

They see what the paired metrics forgive: faded, missing, too vivid and speckled colours. Functions
that return shape (N,) give one value a photo; the others are defined over a whole set and take its
totals. NaN in gives NaN out.

Shapes: N photos, H and W pixels, D directions; `ab` is in CIELAB units, `rgb` is sRGB in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: mean chroma (CIELAB units) below which `chroma_log_ratio` tells no difference any more
CHROMA_FLOOR = 0.1
#: energy (squared CIELAB units) below which `ab_hf_ratio` tells no difference any more
HF_ENERGY_FLOOR = 1e-3
#: directions on which `ab_swd` projects; evenly spaced angles are the best rule for a circle
N_DIRECTIONS = 8
#: pixels of a photo that `ab_swd` looks at; of larger photos, one random pixel of each grid cell
MAX_PIXELS = 4096
#: `ab_swd` rounds projections to this part of a CIELAB unit
CODES_PER_UNIT = 128


def colorfulness(rgb_N3HW: Tensor) -> Tensor:
    """Colourfulness on the 0..255 scale, (N,): 0 not colourful, 33 moderately, 82 highly.

    Uses the mean and the standard deviation of the *signed* opponents R - G and (R + G)/2 - B.

    Source: Hasler and Suesstrunk, "Measuring Colourfulness in Natural Images", Human Vision and
    Electronic Imaging VIII, 2003, section 7, https://doi.org/10.1117/12.477378.
    """
    red, green, blue = (255.0 * rgb_N3HW).flatten(2).unbind(dim=1)
    variance_rg, mean_rg = _variance_and_mean(red - green)
    variance_yb, mean_yb = _variance_and_mean(0.5 * (red + green) - blue)
    spread_N, offset_N = (variance_rg + variance_yb).sqrt(), torch.hypot(mean_rg, mean_yb)
    return spread_N + 0.3 * offset_N


def _variance_and_mean(values_NP: Tensor) -> tuple[Tensor, Tensor]:
    # Two plain passes: as exact as torch.var_mean and several times as fast on a CPU.
    mean_N1 = values_NP.mean(dim=1, keepdim=True)
    return (values_NP - mean_N1).square().mean(dim=1), mean_N1[:, 0]


def mean_chroma(ab_N2HW: Tensor) -> Tensor:
    """Mean chroma sqrt(a^2 + b^2) of each photo, (N,), CIELAB units (CIE 15:2004, eq. 8.11)."""
    return torch.hypot(ab_N2HW[:, 0], ab_N2HW[:, 1]).mean(dim=(1, 2))


def chroma_log_ratio(real_chroma: float, fake_chroma: float) -> float:
    """Natural logarithm of the fake over the real mean chroma of a set: 0 right, below 0 faded.

    Both means have a floor of 0.1 CIELAB units, which no eye sees, so an all-grey answer is finite
    (about -5) and grey against grey is 0.

    Source: ours; CIELAB chroma by CIE 15:2004, eq. 8.11.
    """
    return math.log(_floor(fake_chroma, CHROMA_FLOOR) / _floor(real_chroma, CHROMA_FLOOR))


def ab_swd(real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> Tensor:
    """Sliced Wasserstein-1 distance between a photo's real and fake ab pixels, (N,), CIELAB units.

    The mean over 8 evenly spaced directions of the mean |difference| of the sorted projections.
    Where in the photo a colour stands does not matter; how much of it there is does. Symmetric, 0
    for identical photos. Projections are rounded to 1/128 unit and end at +-255 units (sRGB colours
    reach 134). Photos of more than 4096 pixels are judged by a fixed, spread-out sample
    of at least 1024 of them, the same pixels in both.

    Source: Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures", J. Math.
    Imaging and Vision 51, 2015, section 3, https://doi.org/10.1007/s10851-014-0506-3, with
    absolute differences as in Karras et al., "Progressive Growing of GANs", ICLR 2018, section 5,
    https://arxiv.org/abs/1710.10196.
    """
    height, width = real_ab_N2HW.shape[-2:]
    pixels = sample_pixels(height, width).to(real_ab_N2HW.device)
    angles = torch.arange(N_DIRECTIONS) * (math.pi / N_DIRECTIONS)
    directions_D2 = torch.stack([angles.cos(), angles.sin()], dim=1).to(real_ab_N2HW)

    def sorted_projections(ab_N2HW: Tensor) -> Tensor:
        projections_NDP = directions_D2 @ ab_N2HW.flatten(2)[..., pixels]
        return _sort((projections_NDP * CODES_PER_UNIT).round().clamp(-32640, 32640).short())

    difference = sorted_projections(fake_ab_N2HW).float() - sorted_projections(real_ab_N2HW).float()
    # A NaN has no code, and may be among the pixels that are not looked at.
    nan_or_zero_N = 0.0 * (real_ab_N2HW + fake_ab_N2HW).sum(dim=(1, 2, 3))
    return difference.abs().mean(dim=(1, 2)) / CODES_PER_UNIT + nan_or_zero_N


def sample_pixels(height: int, width: int) -> Tensor:
    """Flat indices of the pixels that `ab_swd` looks at: all of them, or one a grid cell.

    The place inside each cell is random (and fixed), because a regular grid would see only one
    phase of the checkerboard that transposed convolutions can leave.
    """
    step = math.ceil(math.sqrt(height * width / MAX_PIXELS))
    rows, columns = torch.arange(0, height, step), torch.arange(0, width, step)
    random = torch.Generator().manual_seed(0)
    shape = (len(rows), len(columns))
    y = rows[:, None] + torch.randint(step, shape, generator=random)
    x = columns[None, :] + torch.randint(step, shape, generator=random)
    return (y.clamp_max(height - 1) * width + x.clamp_max(width - 1)).flatten()


def _sort(codes: Tensor) -> Tensor:
    # NumPy's stable sort of 16-bit numbers is a radix sort, 15 times as fast as torch's sort.
    if codes.device.type == "cpu":
        return torch.from_numpy(np.sort(codes.numpy(), axis=-1, kind="stable"))
    return codes.sort(dim=-1).values


def ab_moments(ab_N2HW: Tensor) -> Tensor:
    """Means over each photo's pixels of (a, b, a^2, b^2, ab), shape (N, 5), CIELAB units."""
    a, b = ab_N2HW.flatten(2).unbind(dim=1)
    return torch.stack([a, b, a * a, b * b, a * b]).mean(dim=2).T


@dataclass(frozen=True, kw_only=True)
class AbGaussian:
    """A Gaussian fitted to ab pixels, from their mean moments (a, b, a^2, b^2, ab)."""

    mean_a: float
    mean_b: float
    variance_a: float
    variance_b: float
    covariance: float

    @classmethod
    def from_moments(cls, a: float, b: float, aa: float, bb: float, ab: float) -> AbGaussian:
        """Fit to the pixels that have these mean moments."""
        return cls(
            mean_a=a,
            mean_b=b,
            variance_a=aa - a * a,
            variance_b=bb - b * b,
            covariance=ab - a * b,
        )

    @property
    def trace(self) -> float:
        """Trace of the covariance matrix."""
        return self.variance_a + self.variance_b

    @property
    def determinant(self) -> float:
        """Determinant of the covariance matrix; never below 0 but for rounding."""
        return _floor(self.variance_a * self.variance_b - self.covariance**2, 0.0)


def frechet_ab(real: AbGaussian, fake: AbGaussian) -> float:
    """Squared Frechet distance between Gaussians fitted to all ab pixels of a set; 0 is right.

    In squared CIELAB units. One Gaussian holds every pixel of every real photo, the other every
    pixel of every fake one, so this sees the palette of the whole set where `ab_swd` sees photos.
    |m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)); for 2 x 2 matrices that last trace is
    sqrt(tr(S1 S2) + 2 sqrt(det S1 det S2)).

    Source: Dowson and Landau, "The Frechet Distance between Multivariate Normal Distributions",
    J. Multivariate Analysis 12, 1982, eq. 4, https://doi.org/10.1016/0047-259X(82)90077-X, used
    on pixels' colours as Heusel et al. 2017, https://arxiv.org/abs/1706.08500, use it on features.
    """
    means = (fake.mean_a - real.mean_a) ** 2 + (fake.mean_b - real.mean_b) ** 2
    trace_of_product = (
        real.variance_a * fake.variance_a
        + real.variance_b * fake.variance_b
        + 2.0 * real.covariance * fake.covariance
    )
    root_of_determinants = math.sqrt(real.determinant * fake.determinant)
    trace_of_root = math.sqrt(_floor(trace_of_product + 2.0 * root_of_determinants, 0.0))
    return _floor(means + real.trace + fake.trace - 2.0 * trace_of_root, 0.0)


def hf_energy(ab_N2HW: Tensor) -> Tensor:
    """Mean energy of ab minus its 3 x 3 box mean, (N,), squared CIELAB units; inner pixels only."""
    rows = ab_N2HW[:, :, :-2] + ab_N2HW[:, :, 1:-1] + ab_N2HW[:, :, 2:]
    box_sum = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    return (ab_N2HW[:, :, 1:-1, 1:-1] - box_sum / 9.0).square().sum(dim=1).mean(dim=(1, 2))


def ab_hf_ratio(real_energy: float, fake_energy: float) -> float:
    """Fine detail in the colours of a set, fake over real: 1 is right, 4 looks pixelated.

    Both energies (see `hf_energy`) have a floor of 0.001 squared CIELAB units, so flat against
    flat is 1 and an all-grey answer is near 0.

    Source: ours; it guards against the checkerboard that Odena et al., "Deconvolution and
    Checkerboard Artifacts", Distill, 2016, https://doi.org/10.23915/distill.00003, describe.
    """
    return _floor(fake_energy, HF_ENERGY_FLOOR) / _floor(real_energy, HF_ENERGY_FLOOR)


def _floor(value: float, floor: float) -> float:
    """At least `floor`; NaN stays NaN, which `max` does not promise."""
    return value if math.isnan(value) else max(value, floor)
