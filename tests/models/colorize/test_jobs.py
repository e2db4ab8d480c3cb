"""Where copies go and which are made: nothing is overwritten, a second run goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from data_pipeline.errors import InputError
from models.colorize.paths import colorize_paths
from tests.models.photo_folders import BUNDLE, by_name, contents, save_photo, tree


def test_links_in_a_loop_end(tmp_path: Path) -> None:
    photos = tmp_path / "top" / "in"
    save_photo(photos / "a" / "1.png")
    save_photo(tmp_path / "top" / "outside.png")
    (photos / "a" / "up").symlink_to(photos)
    (photos / "a" / "further_up").symlink_to(tmp_path)
    (photos / "b").symlink_to(photos / "a")
    results = colorize_paths([photos], tmp_path / "out", BUNDLE)
    assert tree(tmp_path / "out") == ["a/1.png"]
    assert not any(result.failed for result in results)
    links = [result for result in results if result.harmless]
    assert len(links) == 3
    assert all("link" in str(result.reason) for result in links)


def test_out_inside_the_photos_is_not_colorized_again(tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "1.png")
    for _ in range(2):
        results = colorize_paths([tmp_path / "in"], tmp_path / "in" / "out", BUNDLE, force=True)
        assert len(results) == 1
    assert tree(tmp_path / "in") == ["1.png", "out/1.png"]


def test_inputs_are_never_overwritten(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    save_photo(photos / "1.png")
    save_photo(photos / "sub" / "2.png")
    before = contents(photos)
    (tmp_path / "alias").symlink_to(photos)
    for out in (photos, tmp_path / "alias", photos / "sub" / ".."):
        with pytest.raises(InputError, match="--out"):
            colorize_paths([photos], out, BUNDLE, force=True)
    # a file into its own folder
    (result,) = colorize_paths([photos / "1.png"], photos, BUNDLE, force=True)
    assert "would replace a photo" in str(result.reason)
    # a folder of out that is a link into the photos
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(photos / "sub")
    results = by_name(colorize_paths([photos], tmp_path / "out", BUNDLE, force=True))
    assert results["1.png"].out is not None
    assert "would replace a photo" in str(results["2.png"].reason)
    # a file of out that is a link to a photo
    (tmp_path / "out2").mkdir()
    (tmp_path / "out2" / "1.png").symlink_to(photos / "1.png")
    (tmp_path / "out2" / "sub").mkdir()
    os.link(photos / "sub" / "2.png", tmp_path / "out2" / "sub" / "2.png")
    results = by_name(colorize_paths([photos], tmp_path / "out2", BUNDLE, force=True))
    assert all("would replace a photo" in str(result.reason) for result in results.values())
    assert contents(photos) == before


def test_two_photos_never_make_one_copy(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    save_photo(photos / "1.png")
    with Image.open(photos / "1.png") as image:
        image.save(photos / "1.jpg")
    results = colorize_paths([photos], tmp_path / "out", BUNDLE, output_format="webp")
    assert [result.failed for result in results] == [False, True]
    assert "same name" in str(results[1].reason)
    twice = colorize_paths([photos / "1.png", photos / "1.png"], tmp_path / "out2", BUNDLE)
    assert [result.out is not None for result in twice] == [True, True]


@pytest.mark.parametrize("kind", ["file", "format", "strength"])
def test_bad_options_are_refused_before_anything_is_written(tmp_path: Path, kind: str) -> None:
    save_photo(tmp_path / "1.png")
    (tmp_path / "file").touch()
    before = contents(tmp_path)
    with pytest.raises(InputError):
        colorize_paths(
            [tmp_path / "1.png"],
            tmp_path / ("file" if kind == "file" else "out"),
            BUNDLE,
            output_format="xcf" if kind == "format" else None,
            strength=-1 if kind == "strength" else 1,
        )
    assert contents(tmp_path) == before


def test_a_second_run_makes_only_what_is_missing(tmp_path: Path) -> None:
    for i in range(6):
        save_photo(tmp_path / "in" / f"{i}.png", seed=i)
    colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE)
    whole = contents(tmp_path / "out")
    (tmp_path / "out" / "2.png").unlink()
    (tmp_path / "out" / "4.png").unlink()
    (tmp_path / "out" / "5.png").write_text("mine")
    results = colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE)
    assert [result.existed for result in results] == [True, True, False, True, False, True]
    assert not any(result.failed or result.message for result in results)
    assert contents(tmp_path / "out") == {**whole, "5.png": b"mine"}
    results = colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE, force=True)
    assert not any(result.existed for result in results)
    assert contents(tmp_path / "out") == whole


def test_a_second_run_still_reports_photos_that_have_no_copy(tmp_path: Path) -> None:
    """Two photos of one name in another format: the copy that is there is that of the first."""
    save_photo(tmp_path / "in" / "1.png")
    Image.open(tmp_path / "in" / "1.png").save(tmp_path / "in" / "1.jpg")
    for existed in (False, True):
        first, second = colorize_paths(
            [tmp_path / "in"], tmp_path / "out", BUNDLE, output_format="webp"
        )
        assert first.existed == existed
        assert second.failed


def test_a_folder_in_a_copy_s_place_is_a_reason(tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "1.png")
    (tmp_path / "out" / "1.png").mkdir(parents=True)
    (result,) = colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE)
    assert "cannot be written" in str(result.reason)


def test_an_argument_that_does_not_exist_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    save_photo(tmp_path / "1.png")
    with pytest.raises(InputError, match=r"none\.jpg does not"):
        colorize_paths([tmp_path / "1.png", tmp_path / "none.jpg"], tmp_path / "out", BUNDLE)
    assert tree(tmp_path) == ["1.png"]


def test_a_pipe_as_an_argument_is_a_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (result,) = colorize_paths([tmp_path / "pipe"], tmp_path / "out", BUNDLE)
    assert result.failed
    assert not (tmp_path / "out").exists()
