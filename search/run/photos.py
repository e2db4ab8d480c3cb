"""The photos of a search: a cache for each image size, checked against the batch sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipeline.cache.build import PhotoCache, build_cache, open_cache
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import HashRange, Split, split_by_content
from search.config import SearchConfig
from search.run.directory import RunFolder, read_json

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class SearchPhotos:
    """Caches by image size, and what data.json says of them."""

    caches: dict[int, Path]
    summary: dict[str, Any]


def prepare_photos(
    config: SearchConfig,
    *,
    tested: Sequence[HashRange] = (),
    progress: Progress | None = None,
) -> SearchPhotos:
    """Build (or find) the caches; raises InputError when there are too few usable photos.

    `tested`: where the test photos of an earlier split lie, which stay that.
    """
    source = open_source(config.images)
    crops = min(config.space.values_of("crop_area")) < 1
    caches = {
        size: build_cache(source, image_size=size, fit=config.fit, crops=crops, progress=progress)
        for size in sorted(_image_sizes(config))
    }
    return _checked(config, caches, tested)


def photos_of_run(
    data: Mapping[str, Any], config: SearchConfig, *, progress: Progress | None = None
) -> SearchPhotos:
    """The photos of an earlier run, whose data.json is `data`, at the image size of `config`.

    From the run's own cache while it is there, so that its photos may have vanished or grown; else
    from its source.
    """
    try:
        cache = open_cache(Path(data["cache"][str(config.image_size)]))
    except (InputError, KeyError, TypeError):
        return prepare_photos(config, tested=tested_of(data), progress=progress)
    return _checked(config, {config.image_size: cache}, tested_of(data))


def describe_photos(summary: Mapping[str, Any]) -> str:
    """One line for people on the counts of data.json."""
    skipped = sum(summary["skipped"].values())
    kinds = ", ".join(f"{n} {kind}" for kind, n in summary["skipped"].items())
    return (
        f"{summary['photos']} photos: {summary['train']} train, {summary['validation']} validate"
        + (f", {summary['test']} test" if summary.get("test") else "")
        + (f"; {skipped} skipped ({kinds})" if skipped else "")
    )


def tested_of(data: Mapping[str, Any]) -> tuple[HashRange, ...]:
    """Where the test photos lie of a run whose data.json is `data`; empty where it has none."""
    return tuple(HashRange.parse(plain) for plain in data.get("tested") or ())


def split_of(config: SearchConfig, hashes: Sequence[str], tested: Sequence[HashRange]) -> Split:
    """How photos with these content hashes are divided."""
    return split_by_content(
        hashes,
        validation_fraction=config.validation_fraction,
        test_fraction=config.test_fraction,
        tested=tested,
    )


def _checked(
    config: SearchConfig, caches: Mapping[int, PhotoCache], tested: Sequence[HashRange]
) -> SearchPhotos:
    cache = next(iter(caches.values()))
    batch_size = max(config.space.values_of("batch_size"))
    if len(cache) < 2:
        raise InputError(
            f"a training needs at least a batch ({batch_size}) of usable photos, but "
            f"{config.images} has {len(cache)} ({len(cache.skipped)} skipped); add photos"
        )
    split = split_of(config, cache.hashes, tested)
    n_train, n_test = len(split.train), len(split.test)
    if n_train < batch_size:
        raise InputError(
            f"the training photos must be at least a batch ({batch_size}), but "
            f"{config.images} has {n_train} ({len(cache)} usable, {len(cache) - n_train} held out, "
            f"{len(cache.skipped)} skipped); add photos or search with a smaller --batch-size"
        )
    summary = {
        "source": config.images,
        "image_size": config.image_size,
        "fit": config.fit,
        "photos": len(cache),
        "train": n_train,
        "validation": len(split.validation),
        "test": n_test,
        "tested": [each.to_plain() for each in split.tested],
        "skipped": dict(Counter(skipped.kind for skipped in cache.skipped).most_common()),
        "cache": {str(size): str(cache.path) for size, cache in caches.items()},
    }
    return SearchPhotos(
        caches={size: cache.path for size, cache in caches.items()}, summary=summary
    )


def reopen_photos(
    run: RunFolder, config: SearchConfig, *, progress: Progress | None = None
) -> SearchPhotos:
    """Find the caches that a run was started with; the photos themselves may have vanished."""
    summary = read_json(run.path / "data.json")
    try:
        caches = {int(size): open_cache(Path(path)).path for size, path in summary["cache"].items()}
    except InputError:
        # The cache was cleared away; the photos can still make it anew.
        return prepare_photos(config, tested=tested_of(summary), progress=progress)
    return SearchPhotos(caches=caches, summary=summary)


def _image_sizes(config: SearchConfig) -> list[int]:
    return [int(size) for size in config.space.values_of("image_size")]
