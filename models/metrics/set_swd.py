"""Set-level sliced Wasserstein distance between the pixels of real and coloured photos.

A pixel is the vector (a, b, L, height, fine detail of a, of b): its colour, what a person knows of
it without colour, and how it differs from its neighbours. So green that is on the grass and green
that is in the sky are told apart, and so are a smooth and a speckled meadow. All photos of a set
form one cloud of pixels: a generator may give one meadow the green of another, and pays nothing as
long as the set holds as much of each colour at each lightness and height as the real one.
Lightness and height are the same on both sides, so they cost nothing themselves and keep the bias
of a small set small. docs/objective.md says how it was chosen.

Shapes: N photos, H and W pixels, K sampled pixels a photo, P = N K pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.metrics.gamut import Colors

#: pixels of a photo that are looked at: one of each cell of a 16 x 16 grid
CELLS_A_SIDE = 16
#: CIELAB units that one unit of L counts for, and half the photo's height. Over landscapes L has a
#: standard deviation of about 25 and height (in [-1, 1]) one of 0.58 while a and b have 8 to 15:
#: with these all have about the same, so that a random direction mixes all of them.
L_WEIGHT = 0.5
HEIGHT_WEIGHT = 20.0
#: what the fine detail of a and b (the pixel minus its 3 x 3 mean) counts for: its standard
#: deviation is a quarter of that of a and b
DETAIL_WEIGHT = 2.0
N_DIMENSIONS = 6
#: directions come in blocks of orthogonal ones, which spread better than independent ones
N_BLOCKS = 10


def pixel_vectors(colors: Colors) -> Tensor:
    """Sampled pixels in comparable units, (N, K, 6), of displayed colours."""
    n_photos, _, height, width = colors.ab.shape
    places = torch.linspace(1.0, -1.0, height, device=colors.ab.device)
    height_N1HW = places[:, None].expand(n_photos, 1, height, width)
    # At the border the mean of the pixels that are there.
    mean_N2HW = functional.avg_pool2d(colors.ab, 3, stride=1, padding=1, count_include_pad=False)
    vectors_N6HW = torch.cat(
        [
            colors.ab,
            L_WEIGHT * colors.lab[:, :1],
            HEIGHT_WEIGHT * height_N1HW,
            DETAIL_WEIGHT * (colors.ab - mean_N2HW),
        ],
        dim=1,
    )
    pixels_K = grid_sample(height, width).to(colors.ab.device)
    return vectors_N6HW.flatten(2)[..., pixels_K].transpose(1, 2).contiguous()


def sliced_wasserstein(real_NK6: Tensor, fake_NK6: Tensor) -> float:
    """Mean |difference| of the sorted projections of all pixels, over fixed directions.

    In CIELAB units, 0 for equal sets; NaN in gives NaN out. Source: Bonneel et al., "Sliced and
    Radon Wasserstein Barycenters of Measures", J. Math. Imaging and Vision 51, 2015, section 3,
    https://doi.org/10.1007/s10851-014-0506-3.
    """
    directions = random_directions().to(real_NK6)
    # The caller may run its networks in bfloat16.
    with torch.autocast(real_NK6.device.type, enabled=False):
        real_DP, fake_DP = (
            _sorted(directions @ vectors.flatten(0, 1).T) for vectors in (real_NK6, fake_NK6)
        )
    return float((fake_DP - real_DP).abs().double().mean())


def photo_shares(real_NK6: Tensor, fake_NK6: Tensor) -> Tensor:
    """What each photo adds to `sliced_wasserstein`, (N,) float64; their mean is that distance.

    On a line the distance is the area between the two cumulative distributions, |F_real - F_fake|,
    and each is the mean of the photos' own. With the sign of the difference held fixed the area is
    thus a mean over photos: the infinitesimal jackknife of the distance (Efron, "The Jackknife, the
    Bootstrap and Other Resampling Plans", 1982, chapter 6). How it varies with the photos is so
    known without sorting all pixels again for each resample.
    """
    n_photos, n_pixels, _ = real_NK6.shape
    pixels_P6 = torch.cat([real_NK6, fake_NK6]).flatten(0, 1)
    photo_P = torch.arange(n_photos).repeat_interleave(n_pixels).repeat(2).numpy()
    side_P = np.repeat([1.0, -1.0], n_photos * n_pixels)
    shares_N = np.zeros(n_photos)
    directions = random_directions().to(pixels_P6)
    for projected in (directions @ pixels_P6.T).cpu().numpy().astype(np.float64):
        order = np.argsort(projected)
        lengths = np.diff(projected[order], append=projected[order[-1]])
        signed = np.sign(np.cumsum(side_P[order])) * lengths
        # A pixel counts in its side's distribution from its own place on.
        from_here = np.cumsum(signed[::-1])[::-1]
        shares_N += np.bincount(
            photo_P[order], weights=side_P[order] * from_here, minlength=n_photos
        )
    return torch.from_numpy(shares_N / (n_pixels * len(directions)))


def _sorted(values_DP: Tensor) -> Tensor:
    # NumPy's sort of float32 is several times as fast as torch's on a CPU; both put NaN last.
    if values_DP.device.type == "cpu":
        return torch.from_numpy(np.sort(values_DP.numpy(), axis=1))
    return values_DP.sort(dim=1).values


def random_directions() -> Tensor:
    """Fixed unit vectors, (60, 6) float32: random rotations of the axes."""
    random = torch.Generator().manual_seed(0)
    normal = torch.randn(
        N_BLOCKS, N_DIMENSIONS, N_DIMENSIONS, generator=random, dtype=torch.float64
    )
    directions: Tensor = torch.linalg.qr(normal).Q.flatten(0, 1).float()
    return directions


def grid_sample(height: int, width: int) -> Tensor:
    """Flat indices of the sampled pixels: a random (and fixed) one in each cell of the grid."""
    random = torch.Generator().manual_seed(0)
    rows, columns = min(height, CELLS_A_SIDE), min(width, CELLS_A_SIDE)
    offsets = torch.rand(2, rows, columns, generator=random)
    y = ((torch.arange(rows)[:, None] + offsets[0]) * (height / rows)).long()
    x = ((torch.arange(columns)[None, :] + offsets[1]) * (width / columns)).long()
    return (y.clamp_max(height - 1) * width + x.clamp_max(width - 1)).flatten()
