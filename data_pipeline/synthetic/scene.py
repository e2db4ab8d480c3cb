"""What one synthetic landscape shows: drawn from its seed, before any pixel exists.

Rows and columns are shares of the screen, from the top left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from data_pipeline.synthetic.presets import LANDS, LIGHTS, Color, Light

T = TypeVar("T")

#: keeps these random numbers apart from those of others who start from a small seed
_STREAM = 1976


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One landscape: every number that its pixels follow from."""

    light_name: str
    land_name: str
    light: Light
    #: height of the horizon on the screen
    horizon: float
    focal: float
    sun_x: float
    #: whether the sun stands in front of the camera (else behind it, unseen)
    facing_sun: bool
    cover: float
    cloud_scale: float
    camera: float
    hills: float
    mountains: float
    #: row of the highest peak; None leaves it to the land
    peak: float | None
    mountains_from: float
    mountains_full: float
    mountain_period: float
    hill_period: float
    #: turns of the textures, in radians
    turns: tuple[float, float, float]
    #: places in the textures, in periods
    places: tuple[tuple[float, float], ...]
    water_level: float
    #: how far the near shore reaches, where there is water
    shore: float
    forest: float
    #: distance from which trees grow
    wood_from: float
    tree_height: float
    tree_line: float
    snow_line: float
    #: whether snow lies everywhere
    snowed_in: bool
    ground: Color
    patches: Color
    wood: Color
    rock: Color
    deep_water: Color
    shallow_water: Color
    sand: Color
    flowers: Color | None
    dunes: float
    terraces: int
    ripple: float


def draw_scene(seed: int) -> Scene:
    """Draw a landscape; equal seeds give equal scenes."""
    rng = np.random.default_rng([_STREAM, seed])
    light_name, light = _choose(rng, LIGHTS)
    land_name, land = _choose(rng, LANDS)

    def between(low_high: tuple[float, float]) -> float:
        return float(rng.uniform(*low_high))

    def color(choices: tuple[Color, ...]) -> Color:
        return _jitter(rng, choices[rng.integers(len(choices))], 0.07)

    light = replace(
        light,
        zenith=_jitter(rng, light.zenith, 0.08),
        horizon=_jitter(rng, light.horizon, 0.04),
        visibility=light.visibility * float(rng.uniform(0.6, 1.8)),
        sun_height=light.sun_height * float(rng.uniform(0.75, 1.15)),
    )
    hills, mountains = between(land.hills), between(land.mountains)
    start, full = land.mountains_from
    reach = float(rng.uniform(0.7, 1.5))
    horizon = float(rng.uniform(0.36, 0.62))
    return Scene(
        light_name=light_name,
        land_name=land_name,
        light=light,
        horizon=horizon,
        focal=float(rng.uniform(0.9, 1.5)),
        sun_x=float(rng.uniform(-0.15, 1.15)),
        facing_sun=bool(rng.random() < (0.6 if light.sun_height < 0.3 else 0.35)),
        cover=between(light.cover),
        cloud_scale=float(rng.uniform(0.6, 1.6)),
        camera=between(land.camera),
        hills=hills,
        mountains=mountains,
        peak=None if land.peak is None else horizon * (1.0 - between(land.peak)),
        mountains_from=start * reach,
        mountains_full=full * reach,
        mountain_period=float(rng.uniform(110.0, 220.0)),
        hill_period=float(rng.uniform(70.0, 160.0)),
        turns=(between((0.0, 6.28)), between((0.0, 6.28)), between((0.0, 6.28))),
        places=tuple((between((0.0, 1.0)), between((0.0, 1.0))) for _ in range(6)),
        water_level=between(land.water),
        shore=float(rng.uniform(-4.0, 14.0)),
        forest=between(land.forest),
        wood_from=float(rng.uniform(4.0, 11.0)),
        tree_height=float(rng.uniform(0.7, 1.4)),
        tree_line=land.tree_line * float(rng.uniform(0.7, 1.4)),
        snow_line=land.snow_line * float(rng.uniform(0.6, 1.3)),
        snowed_in=bool(land.snow_line < 2.0 and rng.random() < 0.15),
        ground=color(land.ground),
        patches=color(land.patches),
        wood=color(land.wood),
        rock=color(land.rock),
        deep_water=color(land.deep_water),
        shallow_water=color(land.shallow_water),
        sand=color(land.sand),
        flowers=color(land.flowers) if land.flowers and rng.random() < 0.6 else None,
        dunes=land.dunes,
        terraces=land.terraces,
        ripple=float(rng.uniform(0.2, 1.0)),
    )


def _choose(rng: np.random.Generator, table: dict[str, tuple[float, T]]) -> tuple[str, T]:
    names = list(table)
    weights = np.array([table[name][0] for name in names])
    name = names[rng.choice(len(names), p=weights / weights.sum())]
    return name, table[name][1]


def _jitter(rng: np.random.Generator, color: Color, amount: float) -> Color:
    red, green, blue = np.clip(np.array(color) * np.exp(rng.normal(0.0, amount, 3)), 0.0, 1.0)
    return float(red), float(green), float(blue)
