from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from data_pipeline.errors import InputError
from data_pipeline.sources.inspection import inspect_source
from data_pipeline.sources.landscapes import SyntheticSource
from tests.data_pipeline.made_up import paint


def test_it_counts_what_is_kept_and_dropped(make_photos) -> None:
    folder = make_photos([1, 2, 1])
    Image.fromarray(paint(3, 96, 128)).save(folder / "large.jpg")
    Image.new("RGB", (9, 9), "grey").save(folder / "grey.png")
    Image.new("RGB", (9, 9), "black").save(folder / "black.png")
    (folder / "notes.txt").write_text("no photo")
    seen: list[tuple[int, int]] = []
    found = inspect_source(folder, progress=lambda *done: seen.append(done))
    assert (found.kept, found.distinct) == (4, 3)
    assert found.dropped == {"grey": 2, "not a photo": 1}
    assert found.formats == {"PNG": 3, "JPEG": 1}
    assert found.width_quartiles == (64, 64, 64, 80, 128)
    assert found.height_quartiles == (48, 48, 48, 60, 96)
    assert all(chroma > 2 for chroma in found.chroma_quartiles)
    assert seen == [(done, 7) for done in range(1, 8)]


def test_nothing_kept_gives_no_quartiles(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "grey").save(tmp_path / "grey.png")
    found = inspect_source(tmp_path)
    assert (found.kept, found.width_quartiles) == (0, ())


def test_no_minimum_keeps_grey_photos(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "grey").save(tmp_path / "grey.png")
    assert inspect_source(tmp_path, minimum_chroma=0).kept == 1


def test_synthetic_landscapes_have_no_size_of_their_own() -> None:
    found = inspect_source(SyntheticSource(2))
    assert found.formats == {"synthetic": 2}


def test_a_missing_folder_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        inspect_source(tmp_path / "nothing")
