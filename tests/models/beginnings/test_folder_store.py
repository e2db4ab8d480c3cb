from __future__ import annotations

import os
from pathlib import Path

from models.beginnings.folder_store import FolderStore


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_and_the_rest_is_none(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "beginnings")
    assert store.read("a/epoch-001.pt") is None
    store.write("a/epoch-001.pt", b"one")
    assert store.read("a/epoch-001.pt") == b"one"
    assert store.read("a/epoch-002.pt") is None


def test_the_least_recently_used_beginning_makes_room(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, limit_bytes=250)
    for i, beginning in enumerate("abc"):
        store.write(f"{beginning}/epoch-001.pt", bytes(80))
        os.utime(tmp_path / beginning, (i, i))
    store.read("a/epoch-001.pt")
    store.write("c/epoch-002.pt", bytes(80))
    assert names(tmp_path) == ["a", "c"]
    assert names(tmp_path / "c") == ["epoch-001.pt", "epoch-002.pt"]


def test_a_beginning_that_is_larger_than_the_limit_stays_while_it_grows(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, limit_bytes=100)
    store.write("a/epoch-001.pt", bytes(80))
    store.write("b/epoch-001.pt", bytes(80))
    store.write("b/epoch-002.pt", bytes(80))
    assert names(tmp_path) == ["b"]
    assert names(tmp_path / "b") == ["epoch-001.pt", "epoch-002.pt"]
