"""Periodic noise textures from which synthetic landscapes take their shapes.

All textures are SIDE x SIDE, repeat seamlessly, come from one fixed seed and are made once a
process (some 100 ms); scenes differ by where, how large and how turned they look at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

#: float32 throughout, which NumPy's type stubs cannot follow through mixed expressions
FloatArray = npt.NDArray[np.floating[Any]]

#: (SIDE * SIDE, 4): each texel with its right, lower and lower right neighbours, because one
#: look-up of four numbers is five times as fast as four look-ups
Texture = npt.NDArray[np.float32]

SIDE = 512
_SEED = 20030103
N_TREES = 9000


@dataclass(frozen=True)
class Relief:
    """A surface over the map: height in [0, 1] and its slopes per period."""

    height: Texture
    slope_u: Texture
    slope_v: Texture


@dataclass(frozen=True)
class Textures:
    """All textures."""

    #: eroded mountains
    mountains: Relief
    #: rolling hills
    hills: Relief
    #: clouds and patches: fractal noise of mean 0 and standard deviation 1
    clouds: Texture
    #: grass, gravel and ripples: fine noise of mean 0 and standard deviation 1
    grain: Texture
    #: a wood from above: height of the crowns in [0, 1], 0 between trees
    trees: Texture


@lru_cache(maxsize=1)
def textures() -> Textures:
    """Return the textures, made at the first call."""
    rng = np.random.default_rng(_SEED)
    return Textures(
        mountains=_relief(_eroded(rng)),
        hills=_relief(_fractal(rng, first=3, n_octaves=5, gain=0.36)),
        clouds=_packed(_standardise(_fractal(rng, first=4, n_octaves=7, gain=0.55))),
        grain=_packed(_standardise(_fractal(rng, first=32, n_octaves=4, gain=0.9))),
        trees=_packed(_crowns(rng)),
    )


class Spot:
    """Points of the texture plane; `read` looks up any texture there, smoothly (bilinear)."""

    def __init__(self, u: FloatArray, v: FloatArray) -> None:
        """Take coordinates in periods: 1.0 is once around; u and v have one shape."""
        x, y = u * np.float32(SIDE), v * np.float32(SIDE)
        x_floor, y_floor = np.floor(x), np.floor(y)
        self._right, self._down = x - x_floor, y - y_floor
        row, column = y_floor.astype(np.intp) & (SIDE - 1), x_floor.astype(np.intp) & (SIDE - 1)
        self._texel = row * SIDE + column

    def read(self, texture: Texture) -> FloatArray:
        """Values of `texture`, in the shape of the coordinates."""
        corners = texture.take(self._texel, axis=0)
        top = corners[..., 0] + self._right * (corners[..., 1] - corners[..., 0])
        bottom = corners[..., 2] + self._right * (corners[..., 3] - corners[..., 2])
        return np.asarray(top + self._down * (bottom - top))


def _fractal(
    rng: np.random.Generator, *, first: int, n_octaves: int, gain: float
) -> npt.NDArray[np.float64]:
    """Sum of octaves of noise, each twice as fine and `gain` times as strong as the last."""
    octaves = (gain**i * _noise(rng, first * 2**i) for i in range(n_octaves))
    return sum(octaves, np.zeros((SIDE, SIDE)))


def _eroded(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Fractal noise whose fine octaves fade on steep slopes, so valleys are smooth and peaks rough.

    Source: Quilez, "Value Noise Derivatives", https://iquilezles.org/articles/morenoise/.
    """
    height, slope_x, slope_y = (np.zeros((SIDE, SIDE)) for _ in range(3))
    for octave in range(7):
        cells = 4 * 2**octave
        noise = _noise(rng, cells)
        if octave < 3:
            noise = 1.0 - 1.6 * np.abs(noise)  # folded into ridges
        slope_x += 0.01 * cells * (np.roll(noise, -1, axis=1) - np.roll(noise, 1, axis=1))
        slope_y += 0.01 * cells * (np.roll(noise, -1, axis=0) - np.roll(noise, 1, axis=0))
        height += 0.52**octave * noise / (1.0 + slope_x**2 + slope_y**2)
    return height


def _noise(rng: np.random.Generator, cells: int) -> npt.NDArray[np.float64]:
    """Periodic random surface of unit variance: a cubic B-spline over `cells` x `cells` nodes."""
    weights = _spline_weights(cells)
    surface = weights @ rng.standard_normal((cells, cells)) @ weights.T
    return np.asarray(surface / surface.std())


def _spline_weights(cells: int) -> npt.NDArray[np.float64]:
    """Matrix (SIDE, cells) that evaluates a periodic uniform cubic B-spline at each texel."""
    position = np.arange(SIDE) * cells / SIDE
    node, t = position.astype(int), position % 1.0
    pieces = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    weights = np.zeros((SIDE, cells))
    for offset, piece in enumerate(pieces):
        np.add.at(weights, (np.arange(SIDE), (node + offset - 1) % cells), piece)
    return weights


def _crowns(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Cones of random height and place, the higher one visible where two meet."""
    crowns = np.zeros((SIDE, SIDE))
    reach = np.arange(-6, 7)
    distance = np.hypot(reach[:, None], reach[None, :])
    for x, y, height in zip(
        rng.integers(SIDE, size=N_TREES),
        rng.integers(SIDE, size=N_TREES),
        rng.uniform(0.45, 1.0, size=N_TREES),
        strict=True,
    ):
        window = np.ix_((y + reach) % SIDE, (x + reach) % SIDE)
        cone = height * np.clip(1.0 - distance / (1.5 + 4.0 * height), 0.0, None)
        crowns[window] = np.maximum(crowns[window], cone)
    return crowns


def _relief(surface: npt.NDArray[np.float64]) -> Relief:
    height = (surface - surface.min()) / (surface.max() - surface.min())
    slope_u = (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1)) * (SIDE / 2)
    slope_v = (np.roll(height, -1, axis=0) - np.roll(height, 1, axis=0)) * (SIDE / 2)
    return Relief(_packed(height), _packed(slope_u), _packed(slope_v))


def _packed(values: npt.NDArray[np.floating]) -> Texture:
    below = np.roll(values, -1, axis=0)
    corners = [values, np.roll(values, -1, axis=1), below, np.roll(below, -1, axis=1)]
    return np.stack(corners, axis=-1).reshape(SIDE * SIDE, 4).astype(np.float32)


def _standardise(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((values - values.mean()) / values.std())
