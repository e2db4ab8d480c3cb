"""Folders of photos: what is found, where copies go, what is never touched, what costs one line."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.colorize import paths
from models.colorize.paths import PhotoResult, colorize_paths, printable
from models.colorize.pipeline import colorize
from tests.models.photo_folders import BUNDLE, by_name, contents, save_photo, tree
from tests.models.recoloured import colorize_one, grey


def test_folders_are_mirrored_and_other_files_left_alone(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    for name in ("b.png", "a/z.png", "a/deep/er/x.png", "no_suffix"):
        save_photo(photos / name)
    (photos / "notes.txt").write_text("not a photo")
    (photos / "a" / "empty").mkdir()
    before = contents(photos)
    results = colorize_paths([photos], tmp_path / "out", BUNDLE)
    assert tree(tmp_path / "out") == ["a/deep/er/x.png", "a/z.png", "b.png", "no_suffix"]
    assert [result.failed for result in results] == [False] * 4
    assert all(result.message is None for result in results)
    assert contents(photos) == before


def test_several_arguments_keep_apart(tmp_path: Path) -> None:
    for name in ("x/1.png", "y/1.png", "2.png"):
        save_photo(tmp_path / name)
    arguments = [tmp_path / "x", tmp_path / "y", tmp_path / "2.png"]
    colorize_paths(arguments, tmp_path / "out", BUNDLE)
    assert tree(tmp_path / "out") == ["2.png", "x/1.png", "y/1.png"]


def test_batches_and_threads_change_nothing(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    for i in range(23):
        save_photo(photos / f"{i:02}.png", seed=i, size=(50 + 30 * (i % 3), 36))
    seen: list[tuple[int, int]] = []
    results = colorize_paths(
        [photos],
        tmp_path / "out",
        BUNDLE,
        n_threads=3,
        strength=1.5,
        on_progress=lambda _, done, total: seen.append((done, total)),
    )
    assert seen == [(i + 1, 23) for i in range(23)]
    assert [result.source.name for result in results] == [f"{i:02}.png" for i in range(23)]
    for result in results:
        assert result.out is not None
        expected = colorize(
            np.asarray(Image.open(result.source)), BUNDLE.generator, image_size=32, strength=1.5
        )
        difference = np.abs(np.asarray(Image.open(result.out)).astype(int) - expected)
        assert difference.max() <= 1  # batches of other sizes may round otherwise
        assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize(
    "name",
    [b"with space.png", b"line\nbreak.png", b"-rf.png", b"\xff\xfe.png", "üñ👍.png".encode()],
)
def test_odd_names(tmp_path: Path, name: bytes) -> None:
    photos = tmp_path / "in"
    save_photo(os.path.join(os.fsencode(photos), name))  # noqa: PTH118
    save_photo(photos / "z.png")
    results = colorize_paths([photos], tmp_path / "out", BUNDLE)
    assert not any(result.failed for result in results)
    assert name in os.listdir(os.fsencode(tmp_path / "out"))  # noqa: PTH208
    (single,) = colorize_paths([photos / os.fsdecode(name)], tmp_path / "out2", BUNDLE)
    assert single.out is not None
    shown = printable(single.source)
    assert shown.isprintable()
    shown.encode()


def test_a_bad_file_costs_one_line_and_the_others_are_done(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    save_photo(photos / "good.png")
    save_photo(photos / "zgood.png")
    whole = (photos / "good.png").read_bytes()
    (photos / "truncated.png").write_bytes(whole[: len(whole) * 2 // 3])
    (photos / "fake.jpg").write_text("I am\nno photo\x1b[31m")
    (photos / "empty.webp").touch()
    (photos / "heic.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (photos / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 100)
    (photos / "webp.webp").write_bytes(b"RIFF\xff\xff\0\0WEBPVP8 " + b"\0" * 40)
    (photos / "tiff.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * 50)
    (photos / "avif.avif").write_bytes(b"\0\0\0\x1cftypavif" + b"\0" * 50)
    (photos / "loop.png").symlink_to("loop.png")
    (photos / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(photos / "pipe.jpg")
    results = colorize_paths([photos], tmp_path / "out", BUNDLE)
    assert tree(tmp_path / "out") == ["good.png", "zgood.png"]
    bad = [result for result in results if result.failed]
    assert len(bad) == len(results) - 2 == 11
    for result in bad:
        assert result.reason
        assert result.message is not None
        assert result.message.isprintable()
    reasons = {name: result.reason for name, result in by_name(results).items()}
    assert "HEIC" in str(reasons["heic.heic"])
    assert "no known image format" in str(reasons["fake.jpg"])
    assert reasons["pipe.jpg"] == "not a file"


def png_of(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_bombs_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    photos = tmp_path / "in"
    photos.mkdir()
    (photos / "wide.png").write_bytes(png_of(60_000, 60_000, bytes(1000)))
    (photos / "long.png").write_bytes(png_of(2**31 - 1, 1, bytes(1000)))
    Image.new("L", (8, 8)).save(photos / "scans.jpg", progressive=True)
    data = (photos / "scans.jpg").read_bytes()
    scan = data[data.rindex(b"\xff\xda") : -2]
    (photos / "scans.jpg").write_bytes(data[:-2] + scan * 2000 + data[-2:])
    results = by_name(colorize_paths([photos], tmp_path / "out", BUNDLE))
    assert "more than 100 megapixels" in str(results["wide.png"].reason)
    assert "more than 100 megapixels" in str(results["long.png"].reason)
    assert "scans" in str(results["scans.jpg"].reason)


def test_out_that_cannot_be_written_is_a_reason(tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "1.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").touch()
    save_photo(tmp_path / "in" / "sub" / "2.png")
    results = by_name(colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE))
    assert results["1.png"].out is not None
    assert "cannot be written" in str(results["2.png"].reason)


def test_no_half_written_copy_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_photo(tmp_path / "in" / "1.png")

    def fail(self: Image.Image, file: object, *args: object, **options: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    (result,) = colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE)
    assert result.reason == "cannot be written: No space left on device"
    assert tree(tmp_path) == ["in/1.png"]


def test_an_interrupt_stops_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(40):
        save_photo(tmp_path / "in" / f"{i:02}.png")
    stopped = threading.Event()
    stop, save = paths._Source.stop, paths.save_photo
    n_saved = 0

    def stop_and_tell(source: object) -> None:
        stop(source)  # type: ignore[arg-type]
        stopped.set()

    def save_first_and_wait(*args: object, **options: object) -> list[str]:
        nonlocal n_saved
        if n_saved:
            stopped.wait(60)
        n_saved += 1
        return save(*args, **options)  # type: ignore[arg-type]

    def interrupt(result: PhotoResult, done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(paths._Source, "stop", stop_and_tell)
    monkeypatch.setattr(paths, "save_photo", save_first_and_wait)
    with pytest.raises(KeyboardInterrupt):
        colorize_paths(
            [tmp_path / "in"], tmp_path / "out", BUNDLE, n_threads=1, on_progress=interrupt
        )
    # the photos in hand are finished, and no more are taken
    assert 1 <= len(tree(tmp_path / "out")) < 40


def test_empty_folder_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert colorize_paths([tmp_path / "in"], tmp_path / "out", BUNDLE) == []
    assert not (tmp_path / "out").exists()


def test_pillow_s_memory_is_its_own_again_afterwards(tmp_path: Path) -> None:
    from PIL.Image import core

    before = core.get_blocks_max()
    Image.fromarray(grey()).save(tmp_path / "photo.png")
    assert colorize_one(tmp_path / "photo.png").out is not None
    assert core.get_blocks_max() == before
