"""Tell a colour photo from one without colours of its own: grey, toned or one flat colour.

A photo is judged at 64 x 64 pixels, and its colours as means over cells of those, so that the
noise of a sensor or of JPEG does not count as colour. Three questions are asked:

1. *Is there colour?* Grey if the mean chroma is below `MINIMUM_CHROMA`, unless 5 % of the photo
   have twice as much (a red hut in the snow).
2. *Is there more than one?* One flat colour if a, b stay within `MINIMUM_SPREAD` (rms) of their
   mean.
3. *Is it more than a tone?* A sepia or cyanotype print has colour, but that is a function of the
   lightness: take a polynomial in L away from a, b, and nothing is left. Toned if the residual is
   below a limit; the limit is higher for photos of one brown hue.

How the limits were found: on 2,395 landscape photos of 256 to 640 pixels (fog, snow, night and
water among them), and on every eighth of them made grey, grey with noise, sepia (the usual 3 x 3
matrix), brown, blue and two-coloured, also saved as JPEG again.

- Mean chroma: photos 3.1 and up, half of them above 12.9. Grey with independent noise of 10/255 at
  most 0.7, with blotches of 3/255 at most 1.5 (and 3.1 in its strongest 5 %).
- Spread: photos 1.7 and up.
- Residual: photos 0.45 and up; 99 % of clean sepia below 0.9, of sepia saved as JPEG of quality
  95, 75 and 60 below 1.1, 1.2 and 1.4. Below 0.8 there are photos of bare dunes, which are as good
  as sepia, and of blue water and fog, which are to be kept. So 0.8 holds for brown hues only (those
  of sepia, 69 to 98 degrees, and some room), and 0.4 for others.

Of the photos this drops 2 (bare dunes and hills at dusk, one brown all over). It drops all grey
ones, noisy or not; of sepia 99 %, and 97, 96, 94 and 89 % after JPEG of quality 95, 85, 75 and 60;
of brown 99 %, of two-coloured prints 99 %, of dark blue cyanotypes saved as JPEG only 58 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_pipeline.decode.photo import RGBArray, fit_photo
from data_pipeline.lab import FloatArray, rgb_to_lab

MINIMUM_CHROMA = 2.0
ACCENT_FACTOR = 2.0
MINIMUM_SPREAD = 1.0
TONED_HUES = (50.0, 105.0)
TONED_HUE_CONCENTRATION = 0.97
TONED_RESIDUAL = 0.8
OTHER_TONED_RESIDUAL = 0.4
TONED_MAXIMUM_CHROMA = 35.0

_SIDE = 64
_DEGREE = 5
# Clipped pixels (a channel near 0 or 255) have left the curve of their tone.
_CLIPPED_LOW, _CLIPPED_HIGH = 8, 247
_MINIMUM_UNCLIPPED = 0.1
# Keeps the fit solvable where L hardly varies; as a share of the number of pixels.
_RIDGE = 1e-6
# 5 % of 16 x 16 cells have more chroma than the one of this rank.
_ACCENT_RANK = 243


@dataclass(frozen=True, kw_only=True)
class Colour:
    """How much colour a photo has; chroma and distances in CIELAB units."""

    #: mean chroma over 16 x 16 cells
    chroma: float
    #: the chroma that 5 % of the cells exceed
    accent: float
    #: rms distance of the cells' a, b from their mean
    spread: float
    #: hue of the mean a, b in degrees, red 0 to 360
    hue: float
    #: 1 if all pixels have one hue, 0 if hues cancel
    hue_concentration: float
    #: rms over 8 x 8 cells of what is left of a, b after a polynomial in L; nan if all is clipped
    residual: float

    def lack(self, minimum_chroma: float = MINIMUM_CHROMA) -> str | None:
        """Say in one line why the photo has no colours of its own; None if it has.

        `minimum_chroma` is in CIELAB units; 0 accepts every photo.
        """
        if minimum_chroma <= 0:
            return None
        if self.chroma < minimum_chroma and self.accent < ACCENT_FACTOR * minimum_chroma:
            return f"grey: mean chroma {self.chroma:.1f} is below {minimum_chroma:g}"
        if self.spread < MINIMUM_SPREAD:
            return f"one flat colour: a, b vary by {self.spread:.1f}, less than {MINIMUM_SPREAD:g}"
        brown = (
            TONED_HUES[0] <= self.hue <= TONED_HUES[1]
            and self.hue_concentration > TONED_HUE_CONCENTRATION
            and self.chroma < TONED_MAXIMUM_CHROMA
        )
        limit = TONED_RESIDUAL if brown else OTHER_TONED_RESIDUAL
        if self.residual < limit:
            return (
                f"toned: all colour follows from the lightness up to {self.residual:.1f}, "
                f"less than {limit:g} (sepia or the like)"
            )
        return None


def measure_colour(image: RGBArray) -> Colour:
    """Measure the colour of a photo that has its final square shape, (S, S, 3) sRGB."""
    rgb = fit_photo(image, _SIDE, "squash")
    lab = rgb_to_lab(rgb)
    ab = lab[..., 1:]
    cells = _cell_means(ab, 16)
    chroma = np.hypot(cells[..., 0], cells[..., 1])
    mean = ab.mean(axis=(0, 1))
    mean_length = float(np.hypot(ab[..., 0], ab[..., 1]).mean())
    return Colour(
        chroma=float(chroma.mean()),
        accent=float(np.partition(chroma.ravel(), _ACCENT_RANK)[_ACCENT_RANK]),
        spread=float(np.sqrt(((cells - mean) ** 2).sum(-1).mean())),
        hue=float(np.degrees(np.arctan2(mean[1], mean[0])) % 360),
        hue_concentration=float(np.hypot(mean[0], mean[1])) / max(mean_length, 1e-9),
        residual=_residual(rgb, lab[..., 0], ab),
    )


def _residual(rgb: RGBArray, L: FloatArray, ab: FloatArray) -> float:
    unclipped = ((rgb > _CLIPPED_LOW) & (rgb < _CLIPPED_HIGH)).all(axis=-1)
    if unclipped.mean() < _MINIMUM_UNCLIPPED:
        return float("nan")
    weights = unclipped.ravel().astype(np.float32)
    powers = _powers(L.ravel() / np.float32(50.0) - np.float32(1.0))
    values = ab.reshape(-1, 2)
    # Normal equations: a hundred times faster than least squares by SVD of all pixels.
    weighted = powers * weights
    gram = (weighted @ powers.T).astype(np.float64)
    gram += np.eye(_DEGREE + 1) * (_RIDGE * gram[0, 0])
    coefficients = np.linalg.solve(gram, weighted @ values).astype(np.float32)
    left = (values - powers.T @ coefficients) * weights[:, None]
    share = _cell_means(weights.reshape(_SIDE, _SIDE, 1), 8)[..., 0]
    mostly = share >= 0.5
    if not mostly.any():
        return float("nan")
    cells = _cell_means(left.reshape(_SIDE, _SIDE, 2), 8)[mostly] / share[mostly][:, None]
    return float(np.sqrt((cells**2).sum(-1).mean()))


def _powers(x: FloatArray) -> FloatArray:
    """1, x, x^2 ... of x (P,), as (degree + 1, P)."""
    powers = np.ones((_DEGREE + 1, len(x)), np.float32)
    for k in range(_DEGREE):
        np.multiply(powers[k], x, out=powers[k + 1])
    return powers


def _cell_means(values: FloatArray, cells: int) -> FloatArray:
    """Mean over squares: (64, 64, K) to (cells, cells, K)."""
    side = _SIDE // cells
    means: FloatArray = values.reshape(cells, side, cells, side, -1).mean(axis=(1, 3))
    return means
