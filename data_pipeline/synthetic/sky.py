"""The sky of a synthetic landscape: gradient, sun, stars and clouds, in linear light.

Shapes: H rows, W columns; screen coordinates run from 0 (left, top) to 1 (right, bottom).
"""

from __future__ import annotations

import numpy as np

from data_pipeline.synthetic.cover import linear
from data_pipeline.synthetic.noise import FloatArray, Spot, textures
from data_pipeline.synthetic.scene import Scene
from data_pipeline.synthetic.terrain import smoothstep

#: times of day at which no disc is seen
SUNLESS = ("overcast", "dusk")


def render_sky(scene: Scene, x_1W: FloatArray, y_H1: FloatArray) -> FloatArray:
    """Paint the sky of the whole screen, (H, W, 3); the horizon's colour below it."""
    light = scene.light
    elevation_H1 = np.clip((scene.horizon - y_H1) / scene.focal, 0.0, None)
    towards_zenith = (1.0 - np.exp(-elevation_H1 / 0.22))[..., None]
    gradient = linear(light.horizon) + towards_zenith * (
        linear(light.zenith) - linear(light.horizon)
    )
    sky = np.repeat(gradient, x_1W.shape[1], axis=1)
    glow = sun_glow(scene, x_1W, y_H1)[..., None]
    sky += glow * (linear(light.glow) - sky)
    # Everything else stands above the horizon.
    n_rows = int(np.count_nonzero(elevation_H1))
    _paint_heavens(scene, sky[:n_rows], glow[:n_rows], x_1W, y_H1[:n_rows], elevation_H1[:n_rows])
    return sky


def _paint_heavens(
    scene: Scene,
    sky: FloatArray,
    glow: FloatArray,
    x_1W: FloatArray,
    y_H1: FloatArray,
    elevation_H1: FloatArray,
) -> None:
    """Add stars, the sun and clouds to rows of the sky, in place."""
    light = scene.light
    if light.stars:
        sky += _stars(scene, x_1W, y_H1)
    if scene.facing_sun and scene.light_name not in SUNLESS:
        sky += _sun_disc(scene, x_1W, y_H1)[..., None] * linear(light.glow)
    cover, shade = _clouds(scene, x_1W, elevation_H1)
    lit = linear(light.cloud_light) * (0.9 + 0.5 * glow)
    clouds = linear(light.cloud_shade) + shade[..., None] * (lit - linear(light.cloud_shade))
    sky += cover[..., None] * (clouds - sky)


def sun_glow(scene: Scene, x_1W: FloatArray, y_H1: FloatArray) -> FloatArray:
    """How much the sun tints the sky at each place, (H, W) in [0, 1]."""
    if not scene.facing_sun:
        return np.zeros((y_H1.shape[0], x_1W.shape[1]), dtype=np.float32)
    low_sun = 1.0 - min(scene.light.sun_height / 0.8, 1.0)
    squared = _squared_distance_to_sun(scene, x_1W, y_H1)
    wide = (0.25 + 0.5 * low_sun) * np.exp(-squared / (0.03 + 0.16 * low_sun))
    return np.asarray(wide + 0.4 * np.exp(-squared / 0.006))


def _squared_distance_to_sun(scene: Scene, x_1W: FloatArray, y_H1: FloatArray) -> FloatArray:
    sun_y = scene.horizon - scene.light.sun_height * scene.focal * 0.5
    return (x_1W - np.float32(scene.sun_x)) ** 2 + 1.6 * (y_H1 - np.float32(sun_y)) ** 2


def _sun_disc(scene: Scene, x_1W: FloatArray, y_H1: FloatArray) -> FloatArray:
    distance = np.sqrt(_squared_distance_to_sun(scene, x_1W, y_H1))
    return 1.6 * (1.0 - smoothstep(0.018, 0.03, distance))


def _stars(scene: Scene, x_1W: FloatArray, y_H1: FloatArray) -> FloatArray:
    u, v = np.broadcast_arrays(x_1W * np.float32(0.9), y_H1 * np.float32(0.9))
    place_u, place_v = scene.places[5]
    crowns = Spot(u + np.float32(place_u), v + np.float32(place_v)).read(textures().trees)
    return 1.2 * smoothstep(0.93, 1.0, crowns)[..., None]


def _clouds(
    scene: Scene, x_1W: FloatArray, elevation_H1: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Opacity and brightness of a flat layer of clouds in perspective, (H, W) in [0, 1]."""
    distance_H1 = np.float32(0.20) / (elevation_H1 + np.float32(0.055))
    u = (x_1W - np.float32(0.5)) * distance_H1 * np.float32(0.42 / scene.cloud_scale)
    v = np.broadcast_to(distance_H1 * np.float32(0.55 / scene.cloud_scale), u.shape)
    place_u, place_v = (np.float32(p) for p in scene.places[0])
    u, v = u + place_u, v + place_v
    cloud_texture = textures().clouds
    density = Spot(u, v).read(cloud_texture)
    density = density + 0.35 * Spot(3.7 * u, 3.7 * v).read(cloud_texture)
    towards_sun = np.float32(0.012 if scene.sun_x > 0.5 else -0.012)
    behind = Spot(u + towards_sun, v - np.float32(0.012)).read(cloud_texture)
    threshold = 1.7 - 3.4 * scene.cover
    cover = smoothstep(threshold, threshold + 0.9, density)
    cover *= smoothstep(0.0, 0.06, np.broadcast_to(elevation_H1, cover.shape))
    shade = np.clip(0.62 + 0.9 * (density - behind) - 0.16 * (density - threshold), 0.0, 1.0)
    return cover, shade
