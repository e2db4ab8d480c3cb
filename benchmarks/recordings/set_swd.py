"""Set-level sliced Wasserstein distance between the pixels of real and coloured photos.

A pixel is the vector (a, b, detail of a, detail of b, L, height): its colour, how that differs from
the colours beside it, and what a person knows of it without colour. (Variants with blurred colours
in place of the detail, or with less, are kept for comparison.) So green that is on the grass and
green that is in the sky are told apart, and so are a smooth and a speckled meadow. All photos of a
set form one cloud of pixels: a generator may give one meadow the green of another, and pays nothing
as long as the set holds as much of each colour at each lightness and height as the real one.
Lightness and height are the same on both sides, so they cost nothing themselves and keep the bias
of a small set small.

Shapes: N photos, H and W pixels, K sampled pixels a photo, P = N K pixels, D directions.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.metrics.gamut import displayed_colors
from models.metrics.set_swd import grid_sample

#: photos a side of which are this often the side of the window that blurs
BLUR_SHARE = 8
#: CIELAB units that one unit of L counts for, and half the photo's height. Over landscapes L has a
#: standard deviation of about 25 and height (in [-1, 1]) one of 0.58 while a and b have 8 to 15:
#: with these all six have about the same, so that a random direction mixes all of them.
L_WEIGHT = 0.5
HEIGHT_WEIGHT = 20.0
#: directions come in blocks of orthogonal ones, which spread better than independent ones
N_BLOCKS = 10
N_DIMENSIONS = 6
#: what the fine detail of a and b (the pixel minus its 3 x 3 mean) counts for: its standard
#: deviation is a quarter of that of a and b
DETAIL_WEIGHT = 2.0

#: which dimensions of `pixel_vectors` each variant looks at
VARIANTS: dict[str, tuple[int, ...]] = {
    "set_swd": (0, 1, 2, 3, 4, 5),
    "set_swd_place": (0, 1, 4, 5),
    "set_swd_ab": (0, 1),
    "set_swd_detail": (0, 1, 4, 5, 6, 7),
}


class SetSwd:
    """Accumulates photos with `update` and answers with `compute`; at most 256 pixels a photo.

    Deterministic, and independent of how the photos were grouped into batches.
    """

    def __init__(self, dimensions: tuple[int, ...] = VARIANTS["set_swd_detail"]) -> None:
        self.dimensions = dimensions
        self._real: list[Tensor] = []
        self._fake: list[Tensor] = []

    def update(self, L_N1HW: Tensor, real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> None:
        """Add N photos: L in [-1, 1] (`L/50 - 1`), real and fake ab in [-1, 1] (`/127`)."""
        self._real.append(pixel_vectors(L_N1HW, real_ab_N2HW))
        self._fake.append(pixel_vectors(L_N1HW, fake_ab_N2HW))

    def compute(self) -> float:
        """The distance in CIELAB units, 0 for equal sets; ValueError without any photo."""
        if not self._real:
            raise ValueError("set_swd needs at least one photo, but none was added")
        return sliced_wasserstein(torch.cat(self._real), torch.cat(self._fake), self.dimensions)


def pixel_vectors(L_N1HW: Tensor, ab_N2HW: Tensor) -> Tensor:
    """Sampled pixels as displayed, (N, K, 8), in comparable units.

    They are a, b, blurred a, blurred b, L, height, fine detail of a, of b.
    """
    colors = displayed_colors(L_N1HW, ab_N2HW)
    height, width = ab_N2HW.shape[-2:]
    # An odd window of about an eighth of the photo, whatever its number of pixels.
    window = 2 * max(1, round(height / BLUR_SHARE / 2)) + 1
    places = torch.linspace(1.0, -1.0, height, device=ab_N2HW.device)
    height_N1HW = places[:, None].expand(len(ab_N2HW), 1, height, width)
    detail_N2HW = colors.ab - _box_mean(colors.ab, 3)
    vectors_N8HW = torch.cat(
        [
            colors.ab,
            _box_mean(colors.ab, window),
            L_WEIGHT * colors.lab[:, :1],
            HEIGHT_WEIGHT * height_N1HW,
            DETAIL_WEIGHT * detail_N2HW,
        ],
        dim=1,
    )
    pixels_K = grid_sample(height, width).to(ab_N2HW.device)
    return vectors_N8HW.flatten(2)[..., pixels_K].transpose(1, 2).contiguous()


def _box_mean(ab_N2HW: Tensor, window: int) -> Tensor:
    # At the border the mean of the pixels that are there.
    return functional.avg_pool2d(
        ab_N2HW, window, stride=1, padding=window // 2, count_include_pad=False
    )


def sliced_wasserstein(
    real_NK8: Tensor, fake_NK8: Tensor, dimensions: tuple[int, ...] = VARIANTS["set_swd_detail"]
) -> float:
    """Mean |difference| of the sorted projections of all pixels, over fixed directions.

    Source: Bonneel et al., "Sliced and Radon Wasserstein Barycenters of Measures", J. Math.
    Imaging and Vision 51, 2015, section 3, https://doi.org/10.1007/s10851-014-0506-3. NaN in gives
    NaN out.
    """
    real_PV = real_NK8.flatten(0, 1)[:, list(dimensions)]
    fake_PV = fake_NK8.flatten(0, 1)[:, list(dimensions)]
    distances = [
        (_sorted(fake_PV @ direction) - _sorted(real_PV @ direction)).abs().mean()
        for direction in random_directions(len(dimensions)).to(real_PV)
    ]
    return float(torch.stack(distances).double().mean())


def _sorted(values_P: Tensor) -> Tensor:
    # NumPy's sort of float32 is several times as fast as torch's on a CPU; both put NaN last.
    if values_P.device.type == "cpu":
        return torch.from_numpy(np.sort(values_P.numpy()))
    return values_P.sort().values


def random_directions(n_dimensions: int) -> Tensor:
    """Fixed unit vectors, (60, n_dimensions) or the next multiple: random rotations of the axes."""
    random = torch.Generator().manual_seed(0)
    n_blocks = math.ceil(N_BLOCKS * N_DIMENSIONS / n_dimensions)
    normal = torch.randn(
        n_blocks, n_dimensions, n_dimensions, generator=random, dtype=torch.float64
    )
    rotations = torch.linalg.qr(normal).Q
    return rotations.flatten(0, 1).float()
