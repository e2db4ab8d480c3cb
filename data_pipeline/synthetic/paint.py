"""Paints the ground and the water of a synthetic landscape into its sky, in linear light.

Shapes: H rows, W columns, P pixels (those that are painted).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_pipeline.synthetic.cover import ground_color, linear, mix
from data_pipeline.synthetic.noise import FloatArray, Spot, textures
from data_pipeline.synthetic.scene import Scene
from data_pipeline.synthetic.sky import sun_glow
from data_pipeline.synthetic.terrain import ground_at, slope_at, smoothstep, water_height
from data_pipeline.synthetic.view import FARTHEST, View

FOAM = (0.92, 0.95, 0.96)


@dataclass(frozen=True)
class Pixels:
    """P pixels of the screen and the points of the map that they see."""

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    X: FloatArray
    Z: FloatArray
    side: int

    @classmethod
    def where(cls, seen: npt.NDArray[np.bool_], distance: FloatArray, scene: Scene) -> Pixels:
        """The pixels at which `seen` (H, W) holds, looking as far as `distance` (H, W)."""
        side = seen.shape[1]
        rows, columns = np.nonzero(seen)
        Z = distance[rows, columns]
        X = (_centres(side) - np.float32(0.5))[columns] * Z / np.float32(scene.focal)
        return cls(rows, columns, X, Z, side)

    def only(self, wanted: npt.NDArray[np.bool_]) -> Pixels:
        """Those of them at which `wanted` (P,) holds."""
        return Pixels(
            self.rows[wanted], self.columns[wanted], self.X[wanted], self.Z[wanted], self.side
        )


def paint_land(scene: Scene, view: View, image_HW3: FloatArray) -> None:
    """Paint every pixel that sees ground, in place."""
    pixels = Pixels.where(view.sky < 1.0, view.distance, scene)
    ground = ground_at(scene, pixels.X, pixels.Z)
    slopes = slope_at(scene, pixels.X, pixels.Z, ground)
    footprint = pixels.Z * np.float32(1.0 / (scene.focal * pixels.side))
    land = ground_color(scene, ground, slopes, pixels.X, pixels.Z, footprint)
    land = _through_air(scene, land, pixels)
    sky = image_HW3[pixels.rows, pixels.columns]
    image_HW3[pixels.rows, pixels.columns] = mix(land, sky, view.sky[pixels.rows, pixels.columns])


def paint_water(scene: Scene, view: View, image_HW3: FloatArray) -> None:
    """Paint every pixel that sees water, in place: mirrored sky, its own colour, foam, glitter."""
    if scene.water_level < 0.0:
        return
    surface = water_height(scene)
    height = view.camera_height - surface
    drop_H1 = _centres(len(image_HW3))[:, None] - np.float32(scene.horizon)
    flat_H1 = scene.focal * height / np.maximum(drop_H1, np.float32(1e-4))
    # Water is where its flat surface comes before the ground does.
    seen = (view.sky < 0.5) & (drop_H1 > 0.0) & (flat_H1 <= 1.02 * view.distance)
    pixels = Pixels.where(seen, np.broadcast_to(flat_H1, seen.shape), scene)
    bed = ground_at(scene, pixels.X, np.minimum(pixels.Z, np.float32(FARTHEST)))
    wet = bed.height < surface
    pixels, depth = pixels.only(wet), (surface - bed.height)[wet]
    x, light = (pixels.columns + 0.5) / pixels.side, scene.light

    grain = textures().grain
    waves = Spot(pixels.X * np.float32(1 / 14), pixels.Z * np.float32(1 / 5)).read(grain)
    waves = waves + Spot(pixels.X * np.float32(1 / 50), pixels.Z * np.float32(1 / 16)).read(grain)
    calm = 1.0 - 0.6 * np.clip(pixels.Z / np.float32(30.0), 0.0, 1.0)
    mirrored = 2.0 * scene.horizon * pixels.side - pixels.rows - 0.5
    mirrored = mirrored + (0.02 * pixels.side * scene.ripple) * waves * calm
    reflection = image_HW3[np.clip(mirrored, 0, pixels.side - 1).astype(np.intp), pixels.columns]

    brightness = linear(light.ambient) + 0.8 * linear(light.sun)
    clarity = np.exp(depth * np.float32(-1 / 0.6))
    water = mix(linear(scene.deep_water), linear(scene.shallow_water), clarity)
    water = water * brightness * (1.0 + 0.12 * scene.ripple * waves)[:, None]
    # Schlick's approximation to Fresnel's equations, weakened where waves turn towards the eye.
    steepness = np.minimum(height / np.maximum(pixels.Z, np.float32(0.1)), 1.0)
    mirror = (0.04 + 0.9 * (1.0 - steepness) ** 4) * (1.0 - 0.35 * scene.ripple) + 0.05 * waves
    water = mix(water, reflection, np.clip(mirror, 0.02, 0.95))
    if scene.facing_sun:
        path = np.exp(-((x - scene.sun_x) ** 2) / 0.012)
        glitter = 0.9 * smoothstep(1.0, 2.6, waves) * path
        water = water + glitter[:, None] * linear(light.glow)
    foam = smoothstep(0.0, 0.06, depth) * (1.0 - smoothstep(0.06, 0.35, depth))
    foam = 0.7 * scene.ripple * foam * smoothstep(-0.2, 0.8, waves)
    water = mix(water, linear(FOAM) * brightness, foam)
    image_HW3[pixels.rows, pixels.columns] = _through_air(scene, water, pixels)


def _through_air(scene: Scene, colors_P3: FloatArray, pixels: Pixels) -> FloatArray:
    """Fade distant colours into the horizon's, and into the sun's glow where it stands."""
    light = scene.light
    air = 1.0 - np.exp(-((pixels.Z / np.float32(light.visibility)) ** np.float32(1.3)))
    at_horizon = np.full((1, 1), scene.horizon, dtype=np.float32)
    glow_W = sun_glow(scene, _centres(pixels.side)[None, :], at_horizon)[0]
    haze_W3 = 0.92 * mix(linear(light.horizon), linear(light.glow), glow_W)
    return mix(colors_P3, haze_W3[pixels.columns], air)


def _centres(side: int) -> FloatArray:
    """Centres of `side` pixels, as shares of the screen, (side,)."""
    return (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
