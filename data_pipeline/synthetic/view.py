"""What the camera of a synthetic landscape sees: distance of the ground at each pixel.

Shapes: D distances, H rows, W columns. Rows and columns as shares of the screen, from the top left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data_pipeline.synthetic.noise import FloatArray
from data_pipeline.synthetic.scene import Scene
from data_pipeline.synthetic.terrain import ground_at, water_height

FARTHEST = 450.0
#: the sky keeps at least this share of the screen's height
LEAST_SKY = 0.13
_PROBES = np.linspace(0.02, 0.98, 16, dtype=np.float32)


@dataclass(frozen=True)
class View:
    """What each pixel of the screen sees."""

    #: distance of the ground; without meaning in the sky, (H, W)
    distance: FloatArray
    #: share of the pixel that is sky, (H, W)
    sky: FloatArray
    camera_height: float


def fit_to_frame(scene: Scene) -> Scene:
    """Give the highest peak its place on the screen, and lower land that would hide the sky.

    Judged on a coarse grid of its own, so that a scene is the same at every size.
    """
    for _ in range(2):
        peak = float(_screen_rows(scene, _PROBES, 48)[1].min())
        highest = LEAST_SKY if scene.peak is None else max(scene.peak, LEAST_SKY)
        # Heights over the camera's on the screen are in proportion to those on the map.
        factor = (scene.horizon - highest) / max(scene.horizon - peak, 0.02)
        if (scene.peak is None and factor >= 1.0) or 0.97 < factor < 1.03:
            break
        if factor < 1.0:
            scene = replace(scene, hills=scene.hills * factor, mountains=scene.mountains * factor)
        else:
            scene = replace(scene, mountains=scene.mountains * min(factor, 2.5))
    return scene


def look(scene: Scene, side: int) -> View:
    """Find the nearest ground behind every pixel of a screen of `side` x `side` pixels."""
    centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / side
    n_distances = 96 + side // 4
    Z_D, y_DW = _screen_rows(scene, centres, n_distances)

    # Front to back, a distance hides all rows below its own; the first to reach a row is seen.
    skyline_DW = np.minimum.accumulate(y_DW, axis=0)
    first_row = np.clip(np.ceil(skyline_DW * side - 0.5), 0, side).astype(np.intp)
    cells = first_row * side + np.arange(side)
    reached = np.bincount(cells.ravel(), minlength=(side + 1) * side).reshape(side + 1, side)
    seen_HW = n_distances - np.cumsum(reached[:-1], axis=0)

    # The row's centre lies between the last distance that stays below it and the first that
    # reaches it.
    behind = np.minimum(seen_HW, n_distances - 1)
    before = np.maximum(behind - 1, 0)
    columns = np.arange(side)
    flat = y_DW.ravel()
    y_before, y_behind = flat[before * side + columns], flat[behind * side + columns]
    y_H1 = centres[:, None]
    share = np.clip((y_before - y_H1) / np.maximum(y_before - y_behind, 1e-6), 0.0, 1.0)
    distance = Z_D[before] + share * (Z_D[behind] - Z_D[before])
    sky = np.clip((skyline_DW[-1] - y_H1) * side + 0.5, 0.0, 1.0)
    return View(distance, sky, _camera_height(scene))


def _screen_rows(scene: Scene, x_W: FloatArray, n_distances: int) -> tuple[FloatArray, FloatArray]:
    """Distances (D,) and the row at which the ground there appears in each column (D, W)."""
    nearest = 0.5 * scene.focal * scene.camera / (1.0 - scene.horizon)
    Z_D = np.geomspace(nearest, FARTHEST, n_distances, dtype=np.float32)
    X_DW = Z_D[:, None] * ((x_W - np.float32(0.5)) / np.float32(scene.focal))
    Z_DW = np.broadcast_to(Z_D[:, None], X_DW.shape)
    ground = ground_at(scene, X_DW, Z_DW)
    top = ground.height + (scene.tree_height * ground.wood) * ground.crowns
    top = np.maximum(top, np.float32(water_height(scene)))
    drop = np.float32(_camera_height(scene)) - top
    return Z_D, np.float32(scene.horizon) + drop * (np.float32(scene.focal) / Z_D[:, None])


def _camera_height(scene: Scene) -> float:
    """Height of the camera: so far above the highest ground just ahead, or the water."""
    Z = np.linspace(1.0, 8.0, 8, dtype=np.float32)
    footing = float(ground_at(scene, np.zeros_like(Z), Z).height.max())
    return max(footing, water_height(scene)) + scene.camera
