"""Caches that hold photos a second time, larger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.batches import load_batch
from data_pipeline.cache import writer
from data_pipeline.cache.build import CROPS_SUFFIX, build_cache, open_cache
from data_pipeline.cache.reader import CROPS, HEADER, PIXELS
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import open_source


def test_the_photos_that_validate_are_the_same(make_photos, cache_dir: Path) -> None:
    photos = make_photos(range(5))
    plain = build_cache(photos, image_size=32, cache_dir=cache_dir)
    both = build_cache(photos, image_size=32, crops=True, cache_dir=cache_dir)
    assert plain.crops is None
    assert both.path.name == plain.path.name + CROPS_SUFFIX
    assert (both.key, both.hashes, both.names) == (plain.key, plain.hashes, plain.names)
    assert (both.path / PIXELS).read_bytes() == (plain.path / PIXELS).read_bytes()
    L_N1HW, ab_N2HW = load_batch(both, np.arange(5))
    expected_L, expected_ab = load_batch(plain, np.arange(5))
    assert L_N1HW.equal(expected_L)
    assert ab_N2HW.equal(expected_ab)


def test_larger_photos_take_three_bytes_a_pixel_and_show_the_same(
    make_photos, cache_dir: Path
) -> None:
    cache = build_cache(make_photos(range(5)), image_size=64, crops=True, cache_dir=cache_dir)
    assert cache.crops is not None
    assert cache.crops.shape == (5, 3, 80, 80)
    assert (cache.path / CROPS).stat().st_size == 5 * 3 * 80 * 80
    larger, whole = (array.mean((2, 3)) for array in (cache.crops, cache.pixels))
    assert np.abs(larger - whole).max() < 1


def test_landscapes_are_painted_larger(cache_dir: Path) -> None:
    source = open_source("synthetic:3")
    plain = build_cache(source, image_size=32, cache_dir=cache_dir)
    both = build_cache(source, image_size=32, crops=True, cache_dir=cache_dir)
    assert both.crops is not None
    assert np.array_equal(both.pixels, plain.pixels)
    assert np.abs(both.crops.mean((2, 3)) - both.pixels.mean((2, 3))).max() < 4


def test_a_new_photo_does_not_cost_the_others_a_decoding(
    make_photos, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_cache(make_photos(range(4)), image_size=32, crops=True, cache_dir=cache_dir)
    converted = []
    prepare = writer.prepare

    def counted(content, settings):
        converted.append(content.sha256)
        return prepare(content, settings)

    monkeypatch.setattr(writer, "prepare", counted)
    second = build_cache(make_photos(range(5)), image_size=32, crops=True, cache_dir=cache_dir)
    assert len(converted) == 1
    assert first.crops is not None
    assert second.crops is not None
    rows = [second.hashes.index(content) for content in first.hashes]
    assert np.array_equal(second.crops[rows], first.crops)


def test_a_cache_of_before_there_were_crops_opens(make_photos, cache_dir: Path) -> None:
    cache = build_cache(make_photos(range(3)), image_size=32, cache_dir=cache_dir)
    header = json.loads((cache.path / HEADER).read_text())
    del header["crops"]
    (cache.path / HEADER).write_text(json.dumps(header))
    assert np.array_equal(open_cache(cache.path).pixels, cache.pixels)


def test_lost_larger_photos_are_noticed_and_made_again(make_photos, cache_dir: Path) -> None:
    photos = make_photos(range(3))
    cache = build_cache(photos, image_size=32, crops=True, cache_dir=cache_dir)
    content = (cache.path / CROPS).read_bytes()
    (cache.path / CROPS).write_bytes(content[:-1])
    with pytest.raises(InputError, match=CROPS):
        open_cache(cache.path)
    assert build_cache(photos, image_size=32, crops=True, cache_dir=cache_dir).path == cache.path
    assert (cache.path / CROPS).read_bytes() == content
