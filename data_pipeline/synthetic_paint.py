"""The colours of a synthetic landscape's ground and water, in linear light.

Shapes: H rows, W columns, P pixels (those that are painted).
"""

from __future__ import annotations

import math

import numpy as np

from data_pipeline.synthetic_noise import FloatArray, Spot, textures
from data_pipeline.synthetic_scene import Scene
from data_pipeline.synthetic_sky import linear, sun_glow
from data_pipeline.synthetic_terrain import Ground, ground_at, slope_at, smoothstep, water_height
from data_pipeline.synthetic_view import View

SNOW = (0.76, 0.82, 0.92)
FOAM = (0.92, 0.95, 0.96)


def paint_land(scene: Scene, view: View, image_HW3: FloatArray) -> None:
    """Paint every pixel that sees ground, in place."""
    side = image_HW3.shape[0]
    rows, columns = np.nonzero(view.sky_HW < 1.0)
    depth = view.distance_HW[rows, columns]
    X = ((columns + 0.5) / side - 0.5).astype(np.float32) * depth / np.float32(scene.focal)
    ground = ground_at(scene, X, depth)
    footprint = depth / np.float32(scene.focal * side)
    slopes = slope_at(scene, X, depth, ground)
    albedo = _albedo(scene, ground, slopes, X, depth, footprint)
    lit = albedo * _light(scene, slopes)
    lit = _through_air(scene, lit, depth, rows, columns, side)
    sky = view.sky_HW[rows, columns][:, None]
    image_HW3[rows, columns] = sky * image_HW3[rows, columns] + (1.0 - sky) * lit


def paint_water(scene: Scene, view: View, image_HW3: FloatArray) -> None:
    """Paint every pixel that sees water, in place: what it mirrors, its own colour, foam, glitter."""
    if scene.water_level < 0.0:
        return
    side = image_HW3.shape[0]
    surface = water_height(scene)
    y_H1 = ((np.arange(side, dtype=np.float32) + np.float32(0.5)) / side)[:, None]
    below = np.float32(scene.focal * (view.camera_height - surface)) / np.maximum(
        y_H1 - np.float32(scene.horizon), 1e-4
    )
    flat_depth = np.broadcast_to(below, view.distance_HW.shape)
    # Water is where the flat surface comes before the ground does.
    rows, columns = np.nonzero(
        (view.sky_HW < 0.5) & (y_H1 > scene.horizon) & (flat_depth <= view.distance_HW * 1.02)
    )
    if not len(rows):
        return
    depth = flat_depth[rows, columns]
    X = ((columns + 0.5) / side - 0.5).astype(np.float32) * depth / np.float32(scene.focal)
    ground = ground_at(scene, X, np.minimum(depth, 440.0))
    below_surface = surface - ground.height
    wet = below_surface > 0.0
    rows, columns, depth, X = rows[wet], columns[wet], depth[wet], X[wet]
    below_surface = below_surface[wet]

    grain = textures().grain
    waves = Spot(X / np.float32(14.0), depth / np.float32(5.0)).read(grain)
    waves = waves + Spot(X / np.float32(50.0), depth / np.float32(16.0)).read(grain)
    fade = np.clip(depth / np.float32(30.0), 0.0, 1.0)
    ripple = np.float32(0.02 * scene.ripple) * waves * (1.0 - 0.6 * fade)
    mirrored = 2.0 * scene.horizon - (rows + 0.5) / side + ripple
    mirrored_rows = np.clip(mirrored * side, 0, side - 1).astype(np.intp)
    reflection = image_HW3[mirrored_rows, columns]

    cosine = np.minimum((view.camera_height - surface) / np.maximum(depth, 0.1), 1.0)
    fresnel = 0.04 + 0.9 * (1.0 - cosine) ** 4
    fresnel = np.clip(fresnel * (1.0 - 0.35 * scene.ripple) + 0.05 * waves, 0.02, 0.95)[:, None]
    clarity = np.exp(-below_surface / np.float32(0.6))[:, None]
    body = linear(scene.deep_water) + clarity * (
        linear(scene.shallow_water) - linear(scene.deep_water)
    )
    brightness = linear(scene.light.ambient) + 0.8 * linear(scene.light.sun)
    body = body * brightness * (1.0 + 0.12 * scene.ripple * waves)[:, None]
    water = body + fresnel * (reflection - body)
    if scene.facing_sun:
        path = np.exp(-(((columns + 0.5) / side - scene.sun_x) ** 2) / 0.012)
        glitter = smoothstep(1.0, 2.6, waves) * path
        water += (0.9 * glitter)[:, None] * linear(scene.light.glow)
    foam = smoothstep(0.0, 0.06, below_surface) * (1.0 - smoothstep(0.06, 0.35, below_surface))
    foam = foam * smoothstep(-0.2, 0.8, waves) * min(1.0, scene.ripple)
    water += (0.7 * foam)[:, None] * (linear(FOAM) * brightness - water)
    image_HW3[rows, columns] = _through_air(scene, water, depth, rows, columns, side)


def _albedo(
    scene: Scene,
    ground: Ground,
    slopes: tuple[FloatArray, FloatArray],
    X: FloatArray,
    Z: FloatArray,
    footprint: FloatArray,
) -> FloatArray:
    noise = textures()
    broad = Spot(X / np.float32(55.0), Z / np.float32(55.0)).read(noise.clouds)
    coarse = Spot(X / np.float32(70.0), Z / np.float32(70.0)).read(noise.grain)
    fine = Spot(X / np.float32(5.0), Z / np.float32(5.0)).read(noise.grain)
    shade = Spot(X / np.float32(95.0) + 0.37, Z / np.float32(95.0)).read(noise.clouds)
    coarse *= np.clip(1.2 - footprint / np.float32(0.8), 0.0, 1.0)
    fine *= np.clip(1.2 - footprint / np.float32(0.05), 0.0, 1.0)

    tufts = Spot(X / np.float32(3.1), Z / np.float32(3.1)).read(noise.trees)
    tufts = (tufts - 0.35) * np.clip(1.2 - footprint / np.float32(0.03), 0.0, 1.0)

    patch = smoothstep(-0.3, 0.9, broad + 0.25 * coarse)[:, None]
    albedo = linear(scene.ground) + patch * (linear(scene.patches) - linear(scene.ground))
    steep = slopes[0] ** 2 + slopes[1] ** 2
    rocky = smoothstep(0.35, 0.9, steep + 0.10 * coarse)
    rocky = np.maximum(rocky, smoothstep(0.0, 0.25, ground.mountain - scene.tree_line))
    if scene.dunes:
        rocky = smoothstep(0.02, 0.10, ground.mountain)
    if scene.terraces:
        rocky = np.maximum(rocky, smoothstep(0.02, 0.10, ground.mountain))
        layers = 1.0 + 0.22 * np.sin(np.float32(42.0) * ground.mountain + coarse)
        rock = linear(scene.rock) * layers[:, None]
    else:
        rock = linear(scene.rock) * (1.0 + 0.3 * broad[:, None])
    albedo = albedo + rocky[:, None] * (rock - albedo)
    if scene.water_level >= 0.0:
        beach = 1.0 - smoothstep(0.25, 0.7, ground.height - np.float32(water_height(scene)))
        albedo = albedo + beach[:, None] * (linear(scene.sand) - albedo)
    albedo = albedo * np.clip(1.0 + 0.2 * coarse + 0.22 * fine + 0.8 * tufts, 0.3, 1.8)[:, None]
    if scene.flowers is not None:
        blossom = Spot(X / np.float32(9.0), Z / np.float32(9.0)).read(noise.trees)
        blossom = smoothstep(0.68, 0.85, blossom) * smoothstep(-0.4, 0.8, broad)
        blossom = blossom * (1.0 - smoothstep(0.3, 1.0, steep)) * (1.0 - smoothstep(20.0, 60.0, Z))
        albedo = albedo + blossom[:, None] * (linear(scene.flowers) - albedo)

    tint = np.stack([1.0 + 0.28 * coarse, 1.0 + 0.10 * coarse, 1.0 - 0.1 * coarse], axis=-1)
    crowns = (0.4 + 1.2 * ground.crowns)[:, None] * linear(scene.wood) * tint
    wooded = smoothstep(0.02, 0.22, ground.wood)
    albedo = albedo + wooded[:, None] * (crowns - albedo)

    snow = smoothstep(-0.04, 0.06, ground.mountain - scene.snow_line + 0.05 * broad)
    if scene.snow_line < 0.0:
        snow = np.ones_like(snow)
    snow = snow * (1.0 - smoothstep(0.9, 2.2, steep))
    snow = snow * (1.0 - wooded * (1.0 - 0.5 * smoothstep(0.3, 0.9, ground.crowns)))
    white = linear(SNOW) * (1.0 + 0.06 * coarse + 0.05 * fine)[:, None]
    albedo = albedo + snow[:, None] * (white - albedo)
    # Clouds outside the picture shade parts of the land.
    return albedo * (0.68 + 0.4 * smoothstep(-1.1, 0.3, shade))[:, None]


def _light(scene: Scene, slopes: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Sun and sky on the ground, (P, 3)."""
    light = scene.light
    height = max(light.sun_height, 0.25)
    across = 1.2 * (scene.sun_x - 0.5) / 0.65
    along = 0.7 if scene.facing_sun else -0.6
    flat = math.sqrt(1.0 - height * height) / math.hypot(across, along)
    length = np.sqrt(1.0 + slopes[0] ** 2 + slopes[1] ** 2)
    towards_sun = height - flat * (across * slopes[0] + along * slopes[1])
    direct = np.clip(towards_sun / length, 0.0, None)
    low = light.sun_height < 0.5
    strength, fill = (1.8, 1.15) if low else (1.5, 0.9)
    open_sky = 0.45 + 0.55 / length
    return strength * direct[:, None] * linear(light.sun) + fill * open_sky[:, None] * linear(
        light.ambient
    )


def _through_air(
    scene: Scene,
    colors_P3: FloatArray,
    depth: FloatArray,
    rows: np.ndarray,
    columns: np.ndarray,
    side: int,
) -> FloatArray:
    """Fade distant colours into the horizon's, and into the sun's glow where it stands."""
    air = (1.0 - np.exp(-((depth / np.float32(scene.light.visibility)) ** 1.3)))[:, None]
    x_1W = ((np.arange(side, dtype=np.float32) + np.float32(0.5)) / side)[None, :]
    glow_W = sun_glow(scene, x_1W, np.full((1, 1), scene.horizon, dtype=np.float32))[0]
    haze_W3 = linear(scene.light.horizon) + glow_W[:, None] * (
        linear(scene.light.glow) - linear(scene.light.horizon)
    )
    return colors_P3 + air * (0.92 * haze_W3[columns] - colors_P3)
