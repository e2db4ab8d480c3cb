"""Folders of small grey photos, a small network to colour them, and what a folder holds then."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from models.bundle.store import Bundle
from models.colorize.paths import PhotoResult
from models.networks.generator import Generator


def bundle() -> Bundle:
    torch.manual_seed(0)
    generator = Generator(4).train()
    with torch.no_grad():
        generator(torch.randn(8, 1, 32, 32))
        generator.out[0].weight.mul_(3)
    return Bundle(generator=generator.eval(), config={"image_size": 32})


BUNDLE = bundle()


def save_photo(path: Path | bytes, seed: int = 0, size: tuple[int, int] = (50, 36)) -> None:
    rng = np.random.default_rng(seed)
    pixels = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 8)).astype(np.uint8)).resize(size))
    Path(os.fsdecode(path)).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:  # noqa: PTH123 - a name of bytes
        Image.fromarray(pixels).save(file, "PNG")


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in tree(folder)}


def by_name(results: list[PhotoResult]) -> dict[str, PhotoResult]:
    return {result.source.name: result for result in results}
