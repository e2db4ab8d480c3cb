"""The ground of a synthetic landscape: its height, its slope and what covers it.

World coordinates: X to the right, Z away from the camera, heights up; the camera stands at
X = Z = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data_pipeline.synthetic.noise import FloatArray, Relief, Spot, textures
from data_pipeline.synthetic.scene import Scene

#: length of a period of the texture of trees, so that a crown is about 0.3 across
TREE_PERIOD = 26.0
DUNE_LENGTH = 26.0
#: mountains begin where their texture rises above this
MOUNTAIN_BASE = 0.30


@dataclass(frozen=True)
class Ground:
    """The ground at some points of the map, all of one shape."""

    height: FloatArray
    #: height of the mountains alone, as a share of their full height
    mountain: FloatArray
    #: how tall trees grow here, as a share of the tallest: they get smaller towards a wood's edge
    wood: FloatArray
    #: height of the tree crowns there would be, in [0, 1]
    crowns: FloatArray
    #: where the hills' and, if there are any, the mountains' texture was read
    hill_spot: Spot
    mountain_spot: Spot | None


def smoothstep(low: float, high: float, values: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((values - low) * (1.0 / (high - low)), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def water_height(scene: Scene) -> float:
    """Height of the water's surface; below all ground where there is none."""
    return -1e3 if scene.water_level < 0.0 else scene.hills * (scene.water_level - 0.5)


def ground_at(scene: Scene, X: FloatArray, Z: FloatArray) -> Ground:
    """Look up the ground at map points X, Z of equal shape."""
    hill_spot = _spot(scene, X, Z, 0, scene.hill_period)
    hill = hill_spot.read(textures().hills.height)
    if scene.dunes:
        hill = _dune(scene, X, Z, hill)[0]
    height = scene.hills * (hill - 0.5) * _near(Z)
    mountain: FloatArray = np.zeros_like(height)
    mountain_spot = None
    if scene.mountains > 0.5:
        mountain_spot = _spot(scene, X, Z, 1, scene.mountain_period)
        rock = mountain_spot.read(textures().mountains.height)
        mountain = _mountain(scene, rock)[0] * _grown(scene, Z)
        height = height + scene.mountains * mountain
    water = water_height(scene)
    if scene.water_level >= 0.0 and scene.shore > 0.0:
        wobble = Spot(X * np.float32(1 / 60), Z * np.float32(1 / 60)).read(textures().clouds)
        reach = Z * (1.0 + 0.35 * wobble)
        beach = 1.0 - smoothstep(0.4 * scene.shore, 1.6 * scene.shore, reach)
        height = np.maximum(height, water - 0.5 + 1.1 * beach)
    wood: FloatArray = np.zeros_like(height)
    crowns: FloatArray = wood
    if scene.forest > 0.02:
        wood = _wood(scene, X, Z, mountain, height - water)
        tree_spot = Spot(X * np.float32(1 / TREE_PERIOD), Z * np.float32(1 / TREE_PERIOD))
        crowns = tree_spot.read(textures().trees)
    return Ground(height, mountain, wood, crowns, hill_spot, mountain_spot)


def slope_at(
    scene: Scene, X: FloatArray, Z: FloatArray, ground: Ground
) -> tuple[FloatArray, FloatArray]:
    """Slopes of the bare ground towards X and Z at the points of `ground`."""
    slope_x, slope_z = _slopes(scene, textures().hills, ground.hill_spot, 0, scene.hill_period)
    if scene.dunes:
        hill = ground.hill_spot.read(textures().hills.height)
        _, by_phase, by_hill = _dune(scene, X, Z, hill)
        slope_x = by_phase * (math.cos(scene.turns[2]) / DUNE_LENGTH) + by_hill * slope_x
        slope_z = by_phase * (math.sin(scene.turns[2]) / DUNE_LENGTH) + by_hill * slope_z
    size = scene.hills * _near(Z)
    slope_x, slope_z = size * slope_x, size * slope_z
    if ground.mountain_spot is not None:
        rock = textures().mountains
        rise_x, rise_z = _slopes(scene, rock, ground.mountain_spot, 1, scene.mountain_period)
        _, steepness = _mountain(scene, ground.mountain_spot.read(rock.height))
        size = scene.mountains * _grown(scene, Z) * steepness
        slope_x, slope_z = slope_x + size * rise_x, slope_z + size * rise_z
    return slope_x, slope_z


def _spot(scene: Scene, X: FloatArray, Z: FloatArray, layer: int, period: float) -> Spot:
    cos, sin = math.cos(scene.turns[layer]), math.sin(scene.turns[layer])
    place_u, place_v = scene.places[layer + 1]
    u = X * (cos / period) - Z * (sin / period) + place_u
    v = X * (sin / period) + Z * (cos / period) + place_v
    return Spot(u, v)


def _slopes(
    scene: Scene, relief: Relief, spot: Spot, layer: int, period: float
) -> tuple[FloatArray, FloatArray]:
    cos, sin = math.cos(scene.turns[layer]) / period, math.sin(scene.turns[layer]) / period
    slope_u, slope_v = spot.read(relief.slope_u), spot.read(relief.slope_v)
    return slope_u * cos + slope_v * sin, slope_v * cos - slope_u * sin


def _near(Z: FloatArray) -> FloatArray:
    """Hills flatten out towards the camera, which would otherwise often stare into one."""
    return 0.15 + 0.85 * smoothstep(3.0, 40.0, Z)


def _grown(scene: Scene, Z: FloatArray) -> FloatArray:
    return smoothstep(scene.mountains_from, scene.mountains_full, Z)


def _dune(
    scene: Scene, X: FloatArray, Z: FloatArray, hill: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height of dunes bent by `hill`, and its derivatives by phase and by `hill`.

    A long windward and a short lee side: (1 - cos(p + 0.7 sin p)) / 2.
    """
    along = X * math.cos(scene.turns[2]) + Z * math.sin(scene.turns[2])
    phase = (2.0 * math.pi) * (along / np.float32(DUNE_LENGTH) + 3.0 * hill)
    skewed = phase + 0.7 * np.sin(phase)
    wave = 0.5 - 0.5 * np.cos(skewed)
    steepness = math.pi * np.sin(skewed) * (1.0 + 0.7 * np.cos(phase))
    size = 0.15 + 0.5 * hill
    return wave * size + hill, steepness * size, 3.0 * steepness * size + 0.5 * wave + 1.0


def _mountain(scene: Scene, rock: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Share of the mountains' full height from the texture's height, and its derivative."""
    above = np.clip((rock - MOUNTAIN_BASE) * (1.0 / (1.0 - MOUNTAIN_BASE)), 0.0, 1.0)
    steepness = (above > 0.0) * np.float32(1.0 / (1.0 - MOUNTAIN_BASE))
    if scene.terraces:
        steps = above * (1.4 * scene.terraces)
        whole = np.floor(steps)
        edge = smoothstep(0.55, 0.8, steps - whole)
        above = (whole + edge) * (1.0 / (1.4 * scene.terraces))
        steepness = steepness * (0.15 + 3.0 * ((edge > 0.0) & (edge < 1.0)))
    return above, steepness


def _wood(
    scene: Scene, X: FloatArray, Z: FloatArray, mountain: FloatArray, above_water: FloatArray
) -> FloatArray:
    patches = _spot(scene, X, Z, 2, 70.0).read(textures().clouds)
    # The share of a normal distribution above the threshold is about `forest`.
    threshold = -math.log(scene.forest / (1.001 - scene.forest)) / 1.7
    wood = smoothstep(threshold - 0.15, threshold + 0.15, patches)
    height = mountain + 0.06 * patches
    wood = wood * (1.0 - smoothstep(scene.tree_line - 0.08, scene.tree_line + 0.08, height))
    return (
        wood
        * smoothstep(scene.wood_from, 2.0 * scene.wood_from, Z)
        * smoothstep(0.2, 0.6, above_water)
    )
