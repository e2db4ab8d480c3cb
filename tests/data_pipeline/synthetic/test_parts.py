from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from data_pipeline.synthetic.noise import SIDE, Spot, textures
from data_pipeline.synthetic.scene import Scene, draw_scene
from data_pipeline.synthetic.terrain import ground_at, slope_at
from data_pipeline.synthetic.view import LEAST_SKY, _screen_rows, fit_to_frame, look


def scenes_of(land_name: str, n: int) -> list[Scene]:
    found = (draw_scene(seed) for seed in range(1000))
    return [scene for scene in found if scene.land_name == land_name][:n]


def test_textures_are_read_smoothly_and_repeat() -> None:
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-3, 3, (2, 50, 4)).astype(np.float32)
    plain = textures().clouds[:, 0].reshape(SIDE, SIDE)
    expected = map_coordinates(plain, [v * SIDE, u * SIDE], order=1, mode="grid-wrap")
    read = Spot(u, v).read(textures().clouds)
    assert read.shape == (50, 4)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, expected, atol=2e-3)
    np.testing.assert_allclose(Spot(u + 1, v - 2).read(textures().clouds), read, atol=2e-3)


@pytest.mark.parametrize("land_name", ["forest", "alpine", "desert"])
def test_slopes_are_the_derivatives_of_the_height(land_name: str) -> None:
    for scene in scenes_of(land_name, 3):
        rng = np.random.default_rng(0)
        X = rng.uniform(-60, 60, 4000).astype(np.float32)
        Z = rng.uniform(110, 200, 4000).astype(np.float32)  # hills and mountains in full size
        step = np.float32(0.25)
        ground = ground_at(scene, X, Z)
        slope_x, slope_z = slope_at(scene, X, Z, ground)
        along_x = ground_at(scene, X + step, Z).height - ground_at(scene, X - step, Z).height
        along_z = ground_at(scene, X, Z + step).height - ground_at(scene, X, Z - step).height
        for slope, rise in ((slope_x, along_x), (slope_z, along_z)):
            assert np.corrcoef(slope, rise / (2 * step))[0, 1] > 0.97
            assert np.std(slope) == pytest.approx(np.std(rise / (2 * step)), rel=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_each_pixel_sees_the_nearest_ground_behind_it(seed: int) -> None:
    side = 24
    scene = fit_to_frame(draw_scene(seed))
    view = look(scene, side)
    centres = ((np.arange(side) + 0.5) / side).astype(np.float32)
    distances, rows = _screen_rows(scene, centres, 96 + side // 4)
    for column in range(side):
        for row, y in enumerate(centres):
            reached = np.nonzero(rows[:, column] <= y)[0]
            if not len(reached):
                assert view.sky[row, column] > 0.4
                continue
            behind = reached[0]
            assert distances[max(behind - 1, 0)] <= view.distance[row, column] * 1.0001
            assert view.distance[row, column] <= distances[behind] * 1.0001
            assert view.sky[row, column] < 0.6


@pytest.mark.parametrize("side", [32, 128])
def test_land_never_hides_the_sky(side: int) -> None:
    for seed in range(40):
        view = look(fit_to_frame(draw_scene(seed)), side)
        assert (view.sky[0] == 1).all(), seed
        assert (view.sky[-1] == 0).all(), seed


def test_a_scene_with_a_wanted_peak_gets_it() -> None:
    reached = []
    for scene in scenes_of("alpine", 20):
        assert scene.peak is not None
        wanted = max(scene.peak, LEAST_SKY)
        view = look(fit_to_frame(replace(scene, tree_height=0.0)), 64)
        skyline = 1 - (view.sky < 0.5).sum(axis=0).max() / 64
        reached.append(abs(skyline - wanted) < 0.12)
    assert np.mean(reached) > 0.8
