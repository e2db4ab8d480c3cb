"""The ground of a synthetic landscape: its height, what covers it, and which of it is seen.

World coordinates: X to the right, Z away from the camera, heights up; the camera stands at
X = Z = 0. Shapes: D depths, H rows, W columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data_pipeline.synthetic_noise import FloatArray, sample, textures
from data_pipeline.synthetic_scene import Scene
from data_pipeline.synthetic_sky import smoothstep

N_DEPTHS = 176
FARTHEST = 450.0
TREE_PERIOD = 26.0
DUNE_LENGTH = 26.0


@dataclass(frozen=True)
class Ground:
    """The ground at some points of the map, all of one shape."""

    height: FloatArray
    slope_x: FloatArray
    slope_z: FloatArray
    #: height of the mountains alone, as a share of their full height
    mountain: FloatArray
    #: how much of the ground trees cover, in [0, 1]
    wood: FloatArray
    #: height of the tree crowns over the ground
    crowns: FloatArray


@dataclass(frozen=True)
class View:
    """What each pixel of the screen sees."""

    #: distance of the ground, (H, W); without meaning in the sky
    depth_HW: FloatArray
    #: share of the pixel that is sky, (H, W)
    sky_HW: FloatArray
    camera_height: float


def water_height(scene: Scene) -> float:
    """Height of the water's surface; below all ground where there is none."""
    return -1e3 if scene.water_level < 0.0 else scene.hills * (scene.water_level - 0.5)


def ground_at(scene: Scene, X: FloatArray, Z: FloatArray) -> Ground:
    """Look up the ground at map points X, Z of equal shape."""
    height, slope_x, slope_z = _hills(scene, X, Z)
    near = 0.15 + 0.85 * smoothstep(3.0, 40.0, Z)
    height, slope_x, slope_z = height * near, slope_x * near, slope_z * near
    mountain = np.zeros_like(height)
    if scene.mountains > 0.5:
        mountain, rise_x, rise_z = _mountains(scene, X, Z)
        height = height + scene.mountains * mountain
        slope_x, slope_z = slope_x + rise_x, slope_z + rise_z
    water = water_height(scene)
    if scene.water_level >= 0.0 and scene.shore > 0.0:
        wobble = sample(textures().clouds, X / np.float32(60.0), Z / np.float32(60.0))[..., 0]
        beach = 1.0 - smoothstep(0.4 * scene.shore, 1.6 * scene.shore, Z + wobble * 0.35 * Z)
        height = np.maximum(height, water - 0.5 + 1.1 * beach)
    wood = _wood(scene, X, Z, mountain, height - water)
    crowns = sample(
        textures().trees, X / np.float32(TREE_PERIOD), Z / np.float32(TREE_PERIOD)
    )[..., 0]
    return Ground(height, slope_x, slope_z, mountain, wood, crowns)


def look(scene: Scene, x_W: FloatArray, n_rows: int) -> View:
    """Find the nearest ground behind every pixel of `n_rows` rows (one ray a pixel, no bounces)."""
    ahead = np.linspace(1.0, 8.0, 8, dtype=np.float32)
    footing = float(np.maximum(ground_at(scene, 0 * ahead, ahead).height, water_height(scene)).max())
    camera = footing + scene.camera
    nearest = 0.5 * scene.focal * scene.camera / (1.0 - scene.horizon)
    Z_D1 = np.geomspace(nearest, FARTHEST, N_DEPTHS, dtype=np.float32)[:, None]
    X_DW = (x_W - np.float32(0.5)) * Z_D1 / np.float32(scene.focal)
    ground = ground_at(scene, X_DW, np.broadcast_to(Z_D1, X_DW.shape).copy())
    top = ground.height + ground.wood * ground.crowns * np.float32(scene.tree_height)
    top = np.maximum(top, np.float32(water_height(scene)))
    y_DW = np.float32(scene.horizon) + np.float32(scene.focal) * (np.float32(camera) - top) / Z_D1

    # Front to back, each depth hides all rows below its own; the first to reach a row is seen there.
    skyline_DW = np.minimum.accumulate(y_DW, axis=0)
    first_row = np.clip(np.ceil(skyline_DW * n_rows - 0.5), 0, n_rows).astype(np.intp)
    n_columns = len(x_W)
    cells = first_row * n_columns + np.arange(n_columns)
    reached = np.bincount(cells.ravel(), minlength=(n_rows + 1) * n_columns)
    seen_HW = N_DEPTHS - np.cumsum(reached.reshape(n_rows + 1, n_columns), axis=0)[:-1]

    # Between the last depth that stays below the row's centre and the first that reaches it.
    behind = np.minimum(seen_HW, N_DEPTHS - 1)
    before = np.maximum(behind - 1, 0)
    column = np.arange(n_columns)
    y_before, y_behind = y_DW[before, column], y_DW[behind, column]
    y_H1 = ((np.arange(n_rows, dtype=np.float32) + np.float32(0.5)) / n_rows)[:, None]
    share = np.clip((y_before - y_H1) / np.maximum(y_before - y_behind, 1e-6), 0.0, 1.0)
    depth = Z_D1[before, 0] + share * (Z_D1[behind, 0] - Z_D1[before, 0])
    horizon_W = np.maximum(skyline_DW[-1], 0.0)
    sky = np.clip((horizon_W - y_H1) * n_rows + 0.5, 0.0, 1.0)
    return View(depth.astype(np.float32), sky.astype(np.float32), camera)


def _on_map(
    scene: Scene, X: FloatArray, Z: FloatArray, layer: int, period: float
) -> tuple[FloatArray, FloatArray]:
    cos, sin = math.cos(scene.turns[layer]), math.sin(scene.turns[layer])
    place_u, place_v = scene.places[layer + 1]
    u = X * np.float32(cos / period) - Z * np.float32(sin / period) + np.float32(place_u)
    v = X * np.float32(sin / period) + Z * np.float32(cos / period) + np.float32(place_v)
    return u, v


def _from_map(
    scene: Scene, slope_u: FloatArray, slope_v: FloatArray, layer: int, period: float
) -> tuple[FloatArray, FloatArray]:
    cos, sin = math.cos(scene.turns[layer]), math.sin(scene.turns[layer])
    slope_x = (slope_u * np.float32(cos) + slope_v * np.float32(sin)) / np.float32(period)
    slope_z = (slope_v * np.float32(cos) - slope_u * np.float32(sin)) / np.float32(period)
    return slope_x, slope_z


def _hills(
    scene: Scene, X: FloatArray, Z: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    u, v = _on_map(scene, X, Z, 0, scene.hill_period)
    hill, slope_u, slope_v = np.moveaxis(sample(textures().hills, u, v), -1, 0)
    slope_x, slope_z = _from_map(scene, slope_u, slope_v, 0, scene.hill_period)
    size = np.float32(scene.hills)
    if not scene.dunes:
        return size * (hill - np.float32(0.5)), size * slope_x, size * slope_z
    # Dunes: a long windward and a short lee side along a direction that the hills bend.
    cos, sin = math.cos(scene.turns[2]), math.sin(scene.turns[2])
    phase = (X * np.float32(cos) + Z * np.float32(sin)) / np.float32(DUNE_LENGTH)
    phase = (phase + np.float32(3.0) * hill) % np.float32(1.0)
    windward = phase < 0.72
    rise = np.where(windward, phase / np.float32(0.72), (1.0 - phase) / np.float32(0.28))
    steepness = np.where(windward, np.float32(1 / 0.72), np.float32(-1 / 0.28)) * 1.2 * rise**0.2
    dune = rise ** np.float32(1.2)
    size = size * np.float32(0.55)
    phase_x = np.float32(cos / DUNE_LENGTH) + 3.0 * slope_x
    phase_z = np.float32(sin / DUNE_LENGTH) + 3.0 * slope_z
    height = size * (dune * (0.4 + hill) + hill - np.float32(0.6))
    return (
        height.astype(np.float32),
        (size * steepness * phase_x * (0.4 + hill)).astype(np.float32),
        (size * steepness * phase_z * (0.4 + hill)).astype(np.float32),
    )


def _mountains(
    scene: Scene, X: FloatArray, Z: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    u, v = _on_map(scene, X, Z, 1, scene.mountain_period)
    rock, slope_u, slope_v = np.moveaxis(sample(textures().mountains, u, v), -1, 0)
    slope_x, slope_z = _from_map(scene, slope_u, slope_v, 1, scene.mountain_period)
    base = np.float32(0.30)
    above = np.clip((rock - base) / (1 - base), 0.0, 1.0)
    steepness = (above > 0.0) / (1 - base)
    if scene.terraces:
        steps = above * scene.terraces * np.float32(1.4)
        whole = np.floor(steps)
        edge = smoothstep(0.55, 0.8, steps - whole)
        above = (whole + edge) / np.float32(scene.terraces * 1.4)
        steepness = steepness * (0.15 + 3.0 * (edge > 0.0) * (edge < 1.0))
    grown = smoothstep(scene.mountains_from, scene.mountains_full, Z)
    scale = np.float32(scene.mountains) * grown * steepness
    return above * grown, scale * slope_x, scale * slope_z


def _wood(
    scene: Scene, X: FloatArray, Z: FloatArray, mountain: FloatArray, above_water: FloatArray
) -> FloatArray:
    if scene.forest <= 0.02:
        return np.zeros_like(mountain)
    u, v = _on_map(scene, X, Z, 2, 70.0)
    patches = sample(textures().clouds, u, v)[..., 0]
    threshold = -math.log(scene.forest / (1.001 - scene.forest)) / 1.7
    wood = smoothstep(threshold - 0.12, threshold + 0.12, patches)
    wood *= 1.0 - smoothstep(scene.tree_line - 0.08, scene.tree_line + 0.08, mountain + 0.06 * patches)
    wood *= smoothstep(6.0, 14.0, Z)
    return wood * smoothstep(0.2, 0.6, above_water)
