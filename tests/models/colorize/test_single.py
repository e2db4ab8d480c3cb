"""One photo to the file that is named, and through standard input and output."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_pipeline.errors import InputError
from models.colorize.paths import PhotoResult, colorize_paths
from models.colorize.single import STREAM, colorize_single, is_single
from tests.models.photo_folders import BUNDLE, contents, save_photo, tree


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def single(
    source: Path, out: Path, *, stdin: bytes = b"", stdout: io.BytesIO | None = None, **options: Any
) -> PhotoResult:
    return colorize_single(
        [source], out, BUNDLE, stdin=io.BytesIO(stdin), stdout=stdout or io.BytesIO(), **options
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    save_photo(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def expected(photo: Path, tmp_path: Path) -> bytes:
    """What the folder worker makes of the photo."""
    (result,) = colorize_paths([photo], tmp_path / "expected", BUNDLE)
    assert result.out is not None
    return result.out.read_bytes()


def test_which_targets_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    one = [Path("a.png")]
    assert is_single(one, tmp_path / "result.jpg")
    assert is_single(one, tmp_path / "result.TIFF")
    assert is_single(one, STREAM)
    assert is_single([STREAM], tmp_path / "out")
    assert not is_single(one, tmp_path / "out")
    assert not is_single(one, tmp_path / "version.2")
    assert not is_single(one, tmp_path / "folder.jpg")


def test_a_file_is_what_the_folder_worker_writes(
    photo: Path, tmp_path: Path, expected: bytes
) -> None:
    result = single(photo, tmp_path / "new" / "result.png")
    assert (tmp_path / "new" / "result.png").read_bytes() == expected
    assert result.out == tmp_path / "new" / "result.png"
    assert result.n_pixels == 50 * 36


def test_standard_input_to_standard_output(photo: Path, tmp_path: Path, expected: bytes) -> None:
    before = tree(tmp_path)
    stdout = io.BytesIO()
    single(STREAM, STREAM, stdin=photo.read_bytes(), stdout=stdout)
    assert stdout.getvalue() == expected
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.jpg", "JPEG"), ("x.JPEG", "JPEG"), ("x.webp", "WEBP"), ("x.tif", "TIFF")],
)
def test_the_name_says_the_format(photo: Path, tmp_path: Path, name: str, kind: str) -> None:
    single(photo, tmp_path / name)
    assert Image.open(tmp_path / name).format == kind


def test_16_bits_go_through_a_stream(tmp_path: Path) -> None:
    grey = np.tile(np.linspace(5000, 60000, 60).astype(np.uint16), (40, 1))
    Image.fromarray(grey).save(tmp_path / "wide.png")
    for kind in ("png", "tiff"):
        stdout = io.BytesIO()
        wide = (tmp_path / "wide.png").read_bytes()
        single(STREAM, STREAM, stdin=wide, stdout=stdout, output_format=kind)
        assert Image.open(stdout).size == (60, 40)
        assert len(stdout.getvalue()) > 1000


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("photo.png", {"force": True}, "must not be the photo itself"),
        ("there.png", {}, "use --force"),
        ("x.gif", {}, r"must end in one of \.jpg"),
        ("x.jpg", {"output_format": "png"}, "--format must be that of --out, jpeg, but is png"),
        ("x.jpg", {"strength": -1}, "strength"),
    ],
)
def test_bad_targets_are_refused(
    photo: Path, tmp_path: Path, out: str, options: dict[str, Any], message: str
) -> None:
    (tmp_path / "there.png").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=message):
        single(photo, tmp_path / out, **options)
    assert contents(tmp_path) == before


def test_force_replaces_a_file(photo: Path, tmp_path: Path, expected: bytes) -> None:
    (tmp_path / "there.png").write_text("mine")
    single(photo, tmp_path / "there.png", force=True)
    assert (tmp_path / "there.png").read_bytes() == expected


def test_bad_photos_are_refused(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no photo")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = tree(tmp_path)
    out = tmp_path / "new" / "result.png"
    for name, message in (
        ("text.png", "not a photo"),
        ("none.png", "No such file"),
        ("folder", "not a file"),
        ("pipe", "not a file"),
    ):
        with pytest.raises(InputError, match=message):
            single(tmp_path / name, out)
    for content in (b"", b"no photo", photo.read_bytes()[:100]):
        stdout = io.BytesIO()
        with pytest.raises(InputError, match="standard input: "):
            single(STREAM, STREAM, stdin=content, stdout=stdout)
        assert stdout.getvalue() == b""
    with pytest.raises(InputError, match="one photo, but got 2"):
        colorize_single([photo, photo], out, BUNDLE, stdin=io.BytesIO(), stdout=io.BytesIO())
    with pytest.raises(InputError, match="must end in"):
        single(STREAM, tmp_path / "folder", stdin=photo.read_bytes())
    with pytest.raises(InputError, match="terminal"):
        single(photo, STREAM, stdout=Terminal())
    assert [name for name in tree(tmp_path) if name != "pipe"] == before


def test_a_target_that_cannot_be_written_is_a_reason(photo: Path, tmp_path: Path) -> None:
    result = single(photo, photo / "below-a-file.png")
    assert result.failed
    assert "cannot be written" in str(result.reason)
