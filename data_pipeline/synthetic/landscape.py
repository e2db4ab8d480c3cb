"""Built-in synthetic landscapes: any number of photos at any size from a seed, without a download.

Each is a small world of mountains, hills, woods and water, looked at by a camera under a sky of
some time of day, so that colours follow from shapes much as they do in photographs: blue above,
green below, haze in the distance, the sky in the water.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_pipeline.synthetic.noise import FloatArray
from data_pipeline.synthetic.paint import paint_land, paint_water
from data_pipeline.synthetic.scene import draw_scene
from data_pipeline.synthetic.sky import render_sky
from data_pipeline.synthetic.view import fit_to_frame, look

#: pictures up to this side are rendered at twice the size and averaged, against jagged edges
SUPERSAMPLED_UP_TO = 160


def make_landscape(seed: int, size: int) -> npt.NDArray[np.uint8]:
    """Render landscape number `seed` as sRGB, uint8 (size, size, 3).

    Equal seeds show the same scene at every size, and equal arguments give equal pixels.
    """
    factor = 2 if size <= SUPERSAMPLED_UP_TO else 1
    image = _render(seed, size * factor)
    if factor > 1:
        image = image.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    # A soft shoulder for the lights, then gamma.
    image = image / (1.0 + 0.25 * image * image)
    codes = np.clip(1.08 * image, 0.0, 1.0) ** np.float32(1 / 2.2) * 255.0
    return np.rint(codes).astype(np.uint8)


def _render(seed: int, side: int) -> FloatArray:
    scene = fit_to_frame(draw_scene(seed))
    x_W = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / side
    y_H1 = x_W[:, None]
    image = render_sky(scene, x_W[None, :], y_H1)
    view = look(scene, side)
    paint_land(scene, view, image)
    paint_water(scene, view, image)
    return image
