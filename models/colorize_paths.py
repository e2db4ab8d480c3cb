"""Colour for files and folders of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from models.bundle import Bundle
from models.colorize import colorize

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif")


@dataclass(frozen=True, kw_only=True)
class PhotoResult:
    """What became of one photo: `out` is None when it was not done, and `reason` says why."""

    source: Path
    out: Path | None
    reason: str | None = None


def colorize_paths(
    photos: Sequence[Path],
    out: Path,
    bundle: Bundle,
    *,
    strength: float = 1.0,
    compare: bool = False,
    on_progress: Callable[[PhotoResult, int, int], None] | None = None,
) -> list[PhotoResult]:
    """Colorize photos and folders (recursively, structure mirrored) into the folder `out`.

    `on_progress(result, done, total)` is called after each photo. One result a photo, in order.
    """
    jobs: list[tuple[Path, Path]] = []
    for photo in photos:
        if photo.is_dir():
            found = sorted(p for p in photo.rglob("*") if p.suffix.lower() in SUFFIXES)
            jobs += [(path, out / path.relative_to(photo)) for path in found]
        else:
            jobs.append((photo, out / photo.name))
    results: list[PhotoResult] = []
    for source, target in jobs:
        try:
            with Image.open(source) as image:
                rgb = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
            coloured = colorize(
                rgb, bundle.generator, image_size=bundle.image_size, strength=strength
            )
            pixels = np.concatenate([rgb, coloured], axis=1) if compare else coloured
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(target)
            result = PhotoResult(source=source, out=target)
        except OSError as error:
            result = PhotoResult(source=source, out=None, reason=str(error))
        results.append(result)
        if on_progress is not None:
            on_progress(result, len(results), len(jobs))
    return results
