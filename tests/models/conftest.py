from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_pipeline.cache.build import PhotoCache, build_cache
from tests.models.toys import new_trial, run_to_end


@pytest.fixture(scope="session")
def photo_cache(tmp_path_factory: pytest.TempPathFactory) -> PhotoCache:
    """32 photos of 32 px: a sky of one hue over ground of another, with clouds of noise."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(32):
        rng = np.random.default_rng(number)
        sky, ground = rng.integers(90, 256, 3), rng.integers(0, 160, 3)
        sky[2], ground[1] = 255, 160
        horizon = rng.integers(12, 28)
        picture = np.empty((40, 48, 3))
        picture[:horizon], picture[horizon:] = sky, ground
        picture *= rng.uniform(0.7, 1.0, (40, 48, 1))
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number:02d}.png")
    return build_cache(folder, image_size=32, cache_dir=folder / "cache", workers=1)


@pytest.fixture(scope="session")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, photo_cache: PhotoCache
) -> tuple[Path, list[dict[str, Any]]]:
    """The folder and the reports of a trial that nothing disturbed."""
    folder = tmp_path_factory.mktemp("trials") / "0000"
    return folder, run_to_end(new_trial(folder, photo_cache))
