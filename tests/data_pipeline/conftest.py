"""Folders of made-up photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.data_pipeline.made_up import paint


@pytest.fixture
def make_photos(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of PNG photos `photo-000.png`... with the contents of the given seeds."""

    def make(seeds: range | list[int], folder: str = "photos") -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        for number, seed in enumerate(seeds):
            Image.fromarray(paint(seed)).save(path / f"photo-{number:03d}.png")
        return path

    return make


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache"
