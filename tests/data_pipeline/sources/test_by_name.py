from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from data_pipeline.cache.build import build_cache
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import open_source
from data_pipeline.sources.landscapes import SyntheticSource
from data_pipeline.synthetic.landscape import make_landscape


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    assert open_source(str(tmp_path)).name == str(tmp_path.resolve())


@pytest.mark.parametrize("text", ["synthetic:", "synthetic:0", "synthetic:-3", "synthetic:many"])
def test_synthetic_needs_a_count(text: str) -> None:
    with pytest.raises(InputError, match=text):
        open_source(text)


def test_synthetic_landscapes_are_painted_at_the_size_of_the_cache(cache_dir: Path) -> None:
    cache = build_cache(open_source("synthetic:3"), image_size=32, cache_dir=cache_dir)
    assert sorted(cache.names) == [f"landscape-{seed:06d}" for seed in range(3)]
    seed = int(cache.names[0].removeprefix("landscape-"))
    from data_pipeline.cache.prepare import quantise_lab
    from data_pipeline.lab import rgb_to_lab

    expected = quantise_lab(rgb_to_lab(make_landscape(seed, 32)))
    np.testing.assert_array_equal(cache.pixels[0], expected)


def test_synthetic_contents_do_not_depend_on_size_or_count() -> None:
    few = [entry.read().sha256 for entry in SyntheticSource(3).list_photos().entries]
    many = [entry.read().sha256 for entry in SyntheticSource(5).list_photos().entries]
    assert many[:3] == few
    assert len(set(many)) == 5


# --- Kaggle


def stand_in(monkeypatch: pytest.MonkeyPatch, download) -> None:
    module = types.ModuleType("kagglehub")
    module.dataset_download = download
    monkeypatch.setitem(sys.modules, "kagglehub", module)


def test_kaggle_is_fetched_through_kagglehub(make_photos, monkeypatch) -> None:
    folder = make_photos(range(2))
    asked = []
    stand_in(monkeypatch, lambda handle: asked.append(handle) or str(folder))
    source = open_source("kaggle:arnaud58/landscape-pictures")
    assert asked == ["arnaud58/landscape-pictures"]
    assert len(source.list_photos().entries) == 2


@pytest.mark.parametrize("handle", ["", "owner", "owner/", "/name", "a/b/c", "owner/na me"])
def test_a_kaggle_handle_has_owner_and_name(handle: str, monkeypatch) -> None:
    stand_in(monkeypatch, lambda handle: pytest.fail("was asked"))
    with pytest.raises(InputError, match="kaggle:OWNER/NAME"):
        open_source(f"kaggle:{handle}")


def test_kaggle_without_kagglehub_names_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # import fails
    with pytest.raises(InputError, match=r"chromatune\[kaggle\]"):
        open_source("kaggle:arnaud58/landscape-pictures")


def test_kaggle_out_of_reach_is_one_clear_line(monkeypatch) -> None:
    def refuse(handle: str) -> str:
        raise ConnectionError("HTTPSConnectionPool: Max retries exceeded\nwith a second line")

    stand_in(monkeypatch, refuse)
    with pytest.raises(InputError, match="ConnectionError") as caught:
        open_source("kaggle:arnaud58/landscape-pictures")
    assert "\n" not in str(caught.value)
    assert "download it by hand" in str(caught.value)
