"""What covers the ground of a synthetic landscape, and how the light falls on it; linear light.

Shapes: P points of the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data_pipeline.synthetic.noise import FloatArray, Spot, textures
from data_pipeline.synthetic.presets import Color
from data_pipeline.synthetic.scene import Scene
from data_pipeline.synthetic.terrain import Ground, smoothstep, water_height

SNOW = (0.76, 0.82, 0.92)


@dataclass(frozen=True)
class Detail:
    """Irregularities of the ground at P points, about -2..2; the fine ones fade with distance."""

    broad: FloatArray
    coarse: FloatArray
    fine: FloatArray
    tufts: FloatArray


def linear(color: Color) -> FloatArray:
    """An sRGB colour in linear light (gamma 2.2), (3,)."""
    return np.asarray(np.asarray(color, dtype=np.float32) ** np.float32(2.2))


def mix(below: FloatArray, above: FloatArray, share_P: FloatArray) -> FloatArray:
    """Cover colours `below` with `above` to the given share; colours are (P, 3) or (3,)."""
    return np.asarray(below + share_P[:, None] * (above - below))


def ground_color(
    scene: Scene,
    ground: Ground,
    slopes: tuple[FloatArray, FloatArray],
    X: FloatArray,
    Z: FloatArray,
    footprint: FloatArray,
) -> FloatArray:
    """Colour of the lit ground at P points, (P, 3); `footprint` is the width of a pixel there."""
    steep = slopes[0] ** 2 + slopes[1] ** 2
    detail = _detail(X, Z, footprint)
    color = _soil(scene, ground, steep, detail)
    if scene.flowers is not None:
        blossom = _at(X, Z, 9.0).read(textures().trees)
        blossom = smoothstep(0.68, 0.85, blossom) * smoothstep(-0.4, 0.8, detail.broad)
        blossom = blossom * (1.0 - smoothstep(0.3, 1.0, steep)) * (1.0 - smoothstep(20.0, 60.0, Z))
        color = mix(color, linear(scene.flowers), blossom)
    wooded = smoothstep(0.02, 0.22, ground.wood)
    color = mix(color, _trees(scene, ground, detail), wooded)

    snow = 1.0 - smoothstep(0.9, 2.2, steep)
    if not scene.snowed_in:
        above_snow_line = ground.mountain - scene.snow_line + 0.05 * detail.broad
        snow = snow * smoothstep(-0.04, 0.06, above_snow_line)
    snow = snow * (1.0 - wooded * (1.0 - 0.35 * smoothstep(0.4, 1.0, ground.crowns)))
    white = linear(SNOW) * (1.0 + 0.06 * detail.coarse + 0.05 * detail.fine)[:, None]
    color = mix(color, white, snow)

    # Clouds outside the picture shade parts of the land.
    clouds = Spot(X * np.float32(1 / 95) + 0.37, Z * np.float32(1 / 95)).read(textures().clouds)
    shade = 0.68 + 0.4 * smoothstep(-1.1, 0.3, clouds)
    return np.asarray(color * shade[:, None] * _light(scene, slopes))


def _at(X: FloatArray, Z: FloatArray, period: float) -> Spot:
    return Spot(X * np.float32(1 / period), Z * np.float32(1 / period))


def _detail(X: FloatArray, Z: FloatArray, footprint: FloatArray) -> Detail:
    noise = textures()

    def resolved(size: float) -> FloatArray:
        """1 where a pixel is much smaller than `size`, 0 where it is larger."""
        return np.asarray(np.clip(1.2 - footprint / np.float32(size), 0.0, 1.0))

    return Detail(
        broad=_at(X, Z, 55.0).read(noise.clouds),
        coarse=_at(X, Z, 70.0).read(noise.grain) * resolved(0.8),
        fine=_at(X, Z, 5.0).read(noise.grain) * resolved(0.05),
        tufts=(_at(X, Z, 3.1).read(noise.trees) - 0.35) * resolved(0.03),
    )


def _soil(scene: Scene, ground: Ground, steep: FloatArray, detail: Detail) -> FloatArray:
    """Grass, sand or earth, with rock where it is steep or high."""
    patch = smoothstep(-0.3, 0.9, detail.broad + 0.25 * detail.coarse)
    color = mix(linear(scene.ground), linear(scene.patches), patch)
    relief = 1.0 + 0.3 * detail.broad
    rocky = smoothstep(0.35, 0.9, steep + 0.10 * detail.coarse)
    rocky = np.maximum(rocky, smoothstep(0.0, 0.25, ground.mountain - scene.tree_line))
    if scene.dunes:
        rocky = smoothstep(0.02, 0.10, ground.mountain)
    elif scene.terraces:
        rocky = np.maximum(rocky, smoothstep(0.02, 0.10, ground.mountain))
        relief = 1.0 + 0.22 * np.sin(42.0 * ground.mountain + detail.coarse)
    color = mix(color, linear(scene.rock) * relief[:, None], rocky)
    if scene.water_level >= 0.0:
        beach = 1.0 - smoothstep(0.25, 0.7, ground.height - water_height(scene))
        color = mix(color, linear(scene.sand), beach)
    roughness = 1.0 + 0.2 * detail.coarse + 0.22 * detail.fine + 0.8 * detail.tufts
    return np.asarray(color * np.clip(roughness, 0.3, 1.8)[:, None])


def _trees(scene: Scene, ground: Ground, detail: Detail) -> FloatArray:
    """Crowns bright at the top and dark between, each group of its own tint."""
    coarse = detail.coarse
    tint = np.stack([1.0 + 0.28 * coarse, 1.0 + 0.10 * coarse, 1.0 - 0.1 * coarse], axis=-1)
    return np.asarray((0.4 + 1.2 * ground.crowns)[:, None] * linear(scene.wood) * tint)


def _light(scene: Scene, slopes: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Sun and sky on the ground, (P, 3)."""
    light = scene.light
    # The lowest sun still lights the ground in a photo, because the camera's exposure follows it.
    height = max(light.sun_height, 0.25)
    across = 1.2 * (scene.sun_x - 0.5) / 0.65
    along = 0.7 if scene.facing_sun else -0.6
    flat = math.sqrt(1.0 - height * height) / math.hypot(across, along)
    strength, fill = (1.8, 1.15) if light.sun_height < 0.5 else (1.5, 0.9)
    length = np.sqrt(1.0 + slopes[0] ** 2 + slopes[1] ** 2)
    towards_sun = height - flat * (across * slopes[0] + along * slopes[1])
    direct = np.clip(towards_sun / length, 0.0, None)
    open_sky = 0.45 + 0.55 / length
    sun = direct[:, None] * (strength * linear(light.sun))
    return np.asarray(sun + open_sky[:, None] * (fill * linear(light.ambient)))
