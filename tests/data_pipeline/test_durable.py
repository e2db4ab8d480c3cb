"""Writes that survive: what is on the disk when they return, and what is left when they fail."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from data_pipeline import durable


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What was synced so far: (name, content) of files, (name, names within) of folders."""
    log: list[tuple[str, Any]] = []

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            log.append((path.name, sorted(each.name for each in path.iterdir())))
        else:
            log.append(
                (path.name.split(".")[1] if path.suffix == ".tmp" else path.name, path.read_bytes())
            )

    monkeypatch.setattr(os, "fsync", note)
    return log


def test_appending_syncs_the_file_and_once_its_name(tmp_path: Path, synced: list[Any]) -> None:
    durable.append(tmp_path / "rows", b"a\n")
    durable.append(tmp_path / "rows", b"b\n")
    assert synced == [
        ("rows", b"a\n"),
        (tmp_path.name, ["rows"]),
        ("rows", b"a\nb\n"),
    ]


def test_files_are_synced_before_they_are_renamed_and_their_folder_once(
    tmp_path: Path, synced: list[Any]
) -> None:
    (tmp_path / "one").write_bytes(b"old")
    durable.replace_files(tmp_path, {"one": b"1", "two": b"2"})
    assert sorted(synced[:2]) == [("one", b"1"), ("two", b"2")]
    assert synced[2:] == [(tmp_path.name, ["one", "two"])]


def test_names_change_in_the_asked_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed: list[str] = []
    replace = os.replace

    def note(source: Path, target: Path) -> None:
        renamed.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    durable.replace_files(tmp_path, {"b": b"1", "a": b"2", "c": b"3"})
    assert renamed == ["b", "a", "c"]


def test_what_is_not_durable_is_still_whole(tmp_path: Path, synced: list[Any]) -> None:
    durable.replace_file(tmp_path / "progress", b"1", durable=False)
    assert (tmp_path / "progress").read_bytes() == b"1"
    assert synced == []


@pytest.mark.parametrize("name", ["a", "n" * 255, "ä" * 127])
def test_a_file_that_cannot_be_written_stays_as_it_was(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    durable.replace_file(path, b"old")

    def write_half() -> None:
        with durable.replacing(path) as temporary:
            temporary.write_bytes(b"ne")
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_half()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_full_disk_leaves_all_files_of_a_group_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.replace_files(tmp_path, {"one": b"1", "two": b"2"})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.replace_files(tmp_path, {"one": b"3", "two": b"4"})
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {
        "one": b"1",
        "two": b"2",
    }


def test_every_new_folder_is_in_a_synced_one(tmp_path: Path, synced: list[Any]) -> None:
    durable.make_folder(tmp_path / "a" / "b")
    assert sorted(synced) == sorted([("a", ["b"]), (tmp_path.name, ["a"])])
    synced.clear()
    durable.make_folder(tmp_path / "a" / "b")
    assert synced == []


def test_a_folder_gets_its_name_when_all_in_it_is_on_the_disk(
    tmp_path: Path, synced: list[Any]
) -> None:
    (tmp_path / "new" / "sub").mkdir(parents=True)
    (tmp_path / "new" / "sub" / "file").write_bytes(b"x")
    durable.move_folder(tmp_path / "new", tmp_path / "final")
    assert sorted(synced[:-1]) == [("file", b"x"), ("new", ["sub"]), ("sub", ["file"])]
    assert synced[-1] == (tmp_path.name, ["final"])


def test_a_file_system_that_syncs_no_folders_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", only_files)
    durable.replace_file(tmp_path / "file", b"x")
    assert (tmp_path / "file").read_bytes() == b"x"


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    (tmp_path / "best.pt").write_bytes(b"kept")
    (tmp_path / "best.pt.1234.tmp").write_bytes(b"as earlier versions named it")
    writing = durable.replacing(tmp_path / "best.pt")
    writing.__enter__().write_bytes(b"half")
    durable.remove_leftovers(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["best.pt"]
