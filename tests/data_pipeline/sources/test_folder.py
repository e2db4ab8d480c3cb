from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from data_pipeline.decode.photo import NotAPhotoError, PhotoError
from data_pipeline.errors import InputError
from data_pipeline.sources.folder import FolderSource
from data_pipeline.sources.listing import Skipped
from tests.data_pipeline.made_up import paint


def save(path: Path, seed: int = 0, format_name: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(paint(seed)).save(path, format_name)
    return path


def names(folder: Path) -> list[str]:
    return [entry.name for entry in FolderSource(folder).list_photos().entries]


def reasons(folder: Path) -> dict[str, str]:
    return {row.name: row.reason for row in FolderSource(folder).list_photos().skipped}


def test_photos_are_found_by_content_at_any_depth(tmp_path: Path) -> None:
    save(tmp_path / "b" / "deep" / "er" / "photo.txt")
    save(tmp_path / "a.PNG")
    save(tmp_path / "no extension")
    (tmp_path / "text.jpg").write_text("no photo")
    assert names(tmp_path) == ["a.PNG", "b/deep/er/photo.txt", "no extension", "text.jpg"]
    entries = FolderSource(tmp_path).list_photos().entries
    for entry in entries[:3]:
        assert entry.read().decode(at_least=32).shape == (48, 64, 3)
    with pytest.raises(NotAPhotoError):
        entries[3].read()


def test_junk_is_ignored_unless_it_is_a_photo(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")
    save(tmp_path / ".hidden.png")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._photo.png"):
        (tmp_path / name).write_bytes(b"\0\5\26\7 whatever")
    save(tmp_path / ".git" / "object.png")
    save(tmp_path / "__MACOSX" / "photo.png")
    assert names(tmp_path) == [".hidden.png", "photo.png"]
    assert reasons(tmp_path) == {
        ".git": "hidden folder: not entered",
        "__MACOSX": "hidden folder: not entered",
    }


def test_a_hidden_folder_can_be_named(tmp_path: Path) -> None:
    save(tmp_path / ".cache" / "photo.png")
    assert names(tmp_path / ".cache") == ["photo.png"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    save(tmp_path / "a" / "photo.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "nowhere").symlink_to(tmp_path / "nothing")
    assert names(tmp_path) == ["a/photo.png"] or names(tmp_path) == ["b/photo.png"]
    kinds = {reason.partition(":")[0] for reason in reasons(tmp_path).values()}
    assert kinds == {"folder entered already", "broken link"}


def test_links_to_photos_elsewhere_are_followed(tmp_path: Path) -> None:
    real = save(tmp_path / "elsewhere" / "photo.png")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.png").symlink_to(real)
    (folder / "links").symlink_to(real.parent)
    assert names(folder) == ["link.png", "links/photo.png"]


def test_pipes_and_sockets_are_not_opened(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        (tmp_path / "zero.jpg").symlink_to("/dev/zero")
        assert names(tmp_path) == ["photo.png"]
        assert set(reasons(tmp_path)) == {"pipe.jpg", "s.jpg", "zero.jpg"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_and_folders_give_a_reason(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")
    save(tmp_path / "closed" / "photo.png")
    (tmp_path / "closed").chmod(0)
    try:
        assert reasons(tmp_path) == {"closed": "folder cannot be read: Permission denied"}
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_unreadable_folders_give_a_reason_also_for_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "photo.png")
    save(tmp_path / "closed" / "photo.png")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    listing = FolderSource(tmp_path).list_photos()
    assert listing.skipped == [Skipped("closed", "folder cannot be read: Permission denied")]
    assert len(listing.entries) == 1


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    save(tmp_path / "photo.png").rename(tmp_path / os.fsdecode(b"ph\xff\xfeto.png"))
    assert names(tmp_path) == ["ph\\xff\\xfeto.png"]
    assert FolderSource(tmp_path).list_photos().entries[0].read().sha256


def test_a_file_that_changes_after_the_listing_is_not_used(tmp_path: Path) -> None:
    save(tmp_path / "photo.png", seed=1)
    entry = FolderSource(tmp_path).list_photos().entries[0]
    save(tmp_path / "photo.png", seed=2)
    with pytest.raises(PhotoError, match="changed"):
        entry.read()
    (tmp_path / "photo.png").unlink()
    with pytest.raises(PhotoError, match="cannot be read"):
        entry.read()


def test_the_stamp_changes_with_the_content_even_if_size_and_time_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "photo.bmp"  # all of one size
    save(path, 1, "BMP")
    status = path.stat()
    before = FolderSource(tmp_path).list_photos().entries[0].stamp
    save(path, 2, "BMP")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert FolderSource(tmp_path).list_photos().entries[0].stamp != before


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text("x"), "is a file"),
        (lambda path: path.mkdir(), "has none"),
        (lambda path: (path / ".git").mkdir(parents=True), "none that can be read"),
    ],
)
def test_no_folder_of_photos_is_bad_input(tmp_path: Path, make, words: str) -> None:
    make(tmp_path / "photos")
    with pytest.raises(InputError, match=words) as caught:
        FolderSource(tmp_path / "photos").list_photos()
    assert "\n" not in str(caught.value)
