from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import color

from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, build_cache, default_cache_dir, open_cache
from data_pipeline.errors import InputError
from tests.data_pipeline.made_up import paint

CHECKOUT = Path(__file__).resolve().parents[3]


def leftovers(cache_dir: Path) -> list[str]:
    return [path.name for path in cache_dir.iterdir() if path.suffix in (".building", ".lock")]


def contents(cache: PhotoCache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.path.iterdir()}


# --- what is in it


@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_it_holds_what_pillow_and_scikit_image_give(make_photos, cache_dir: Path, fit) -> None:
    folder = make_photos(range(6))
    cache = build_cache(folder, image_size=32, fit=fit, cache_dir=cache_dir)
    assert len(cache) == 6
    assert (cache.path / "photos.u8").stat().st_size == 6 * 3 * 32 * 32
    L_N1HW, ab_N2HW = load_batch(cache, np.arange(6))
    for row, name in enumerate(cache.names):
        image = Image.open(folder / name)
        box = (8, 0, 56, 48) if fit == "crop" else None
        rgb = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS, box=box))
        lab = color.rgb2lab(rgb)
        # half a unit of the code: 0.5/2.55 of L, 0.5 of a and b, and the 1e-3 of rgb_to_lab
        assert np.abs((L_N1HW[row, 0].numpy() + 1) * 50 - lab[..., 0]).max() < 0.197 + 2e-3
        assert np.abs(ab_N2HW[row].numpy().transpose(1, 2, 0) * 127 - lab[..., 1:]).max() < 0.502


def test_it_depends_on_contents_and_settings_only(make_photos, tmp_path: Path) -> None:
    folder = make_photos(range(8))
    first = build_cache(folder, image_size=32, cache_dir=tmp_path / "one", workers=1)
    again = build_cache(folder, image_size=32, cache_dir=tmp_path / "two", workers=3)
    assert contents(first) == contents(again)
    other = make_photos(reversed(range(8)), folder="other")
    renamed = build_cache(other, image_size=32, cache_dir=tmp_path / "three")
    assert renamed.key == first.key
    np.testing.assert_array_equal(renamed.pixels, first.pixels)
    assert renamed.hashes == first.hashes


def test_one_cache_serves_folders_of_equal_contents(make_photos, cache_dir: Path) -> None:
    one = build_cache(make_photos(range(4)), image_size=32, cache_dir=cache_dir)
    two = build_cache(make_photos(range(4), folder="b"), image_size=32, cache_dir=cache_dir)
    assert one.path == two.path


def test_other_settings_and_contents_give_other_caches(make_photos, cache_dir: Path) -> None:
    folder = make_photos(range(4))
    paths = {
        build_cache(folder, image_size=32, cache_dir=cache_dir).path,
        build_cache(folder, image_size=64, cache_dir=cache_dir).path,
        build_cache(folder, image_size=32, fit="squash", cache_dir=cache_dir).path,
        build_cache(folder, image_size=32, minimum_chroma=0, cache_dir=cache_dir).path,
    }
    make_photos([9], folder="photos")
    paths.add(build_cache(folder, image_size=32, cache_dir=cache_dir).path)
    assert len(paths) == 5


def test_copies_all_stay_and_share_their_hash(make_photos, cache_dir: Path) -> None:
    cache = build_cache(make_photos([1, 2, 1]), image_size=32, cache_dir=cache_dir)
    assert len(cache) == 3
    assert len(set(cache.hashes)) == 2
    assert sorted(cache.names) == ["photo-000.png", "photo-001.png", "photo-002.png"]


def test_progress_counts_up_to_the_total(make_photos, cache_dir: Path) -> None:
    folder = make_photos(range(5))
    seen: list[tuple[int, int]] = []
    build_cache(
        folder, image_size=32, cache_dir=cache_dir, progress=lambda *done: seen.append(done)
    )
    assert seen == [(done, 10) for done in range(1, 11)]  # hashed, then converted
    seen.clear()
    build_cache(
        folder, image_size=32, cache_dir=cache_dir, progress=lambda *done: seen.append(done)
    )
    assert seen == []


# --- what is not


def test_bad_photos_among_good_ones_stop_nothing(make_photos, cache_dir: Path) -> None:
    folder = make_photos(range(6))
    good = (folder / "photo-000.png").read_bytes()
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "text.png").write_text("no photo")
    (folder / "empty.jpg").touch()
    Image.fromarray(paint(7)).convert("L").convert("RGB").save(folder / "grey.png")
    Image.new("RGB", (50, 50), "teal").save(folder / "flat.png")
    (folder / "gone.png").symlink_to(folder / "nothing")
    cache = build_cache(folder, image_size=32, cache_dir=cache_dir)
    assert len(cache) == 6
    kinds = {row.name: row.kind for row in cache.skipped}
    assert kinds == {
        "cut.png": "cannot be decoded",
        "text.png": "not a photo",
        "empty.jpg": "empty file",
        "grey.png": "grey",
        "flat.png": "one flat colour",
        "gone.png": "broken link",
    }
    assert json.loads((cache.path / "cache.json").read_text())["skipped"] == 6


def test_a_folder_without_a_usable_photo_is_bad_input(tmp_path: Path, cache_dir: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "text.txt").write_text("no photo")
    Image.new("RGB", (50, 50), "grey").save(folder / "grey.png")
    with pytest.raises(InputError, match=r"at least one colour photo.*1 not a photo, 1 grey"):
        build_cache(folder, image_size=32, cache_dir=cache_dir)
    assert leftovers(cache_dir) == []
    assert not list(cache_dir.glob("32-*"))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"image_size": 100}, "multiple of 32 between 32 and 2048, but got 100"),
        ({"image_size": 0}, "but got 0"),
        ({"fit": "stretch"}, "'crop' or 'squash', but got 'stretch'"),
        ({"minimum_chroma": -1}, "between 0 and 100, but got -1"),
        ({"minimum_chroma": float("nan")}, "but got nan"),
    ],
)
def test_settings_out_of_range_are_bad_input(make_photos, cache_dir, setting, words) -> None:
    with pytest.raises(InputError, match=words):
        build_cache(make_photos(range(2)), **{"image_size": 32, **setting}, cache_dir=cache_dir)
    assert not cache_dir.exists()


def test_a_cache_directory_that_cannot_be_is_bad_input(make_photos, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="CHROMATUNE_CACHE"):
        build_cache(make_photos(range(2)), image_size=32, cache_dir=tmp_path / "file" / "cache")


def test_a_full_disk_is_bad_input(make_photos, cache_dir: Path, monkeypatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="GB free"):
        build_cache(make_photos(range(2)), image_size=32, cache_dir=cache_dir)
    assert leftovers(cache_dir) == []


def test_the_default_directory(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "chosen"))
    assert default_cache_dir() == tmp_path / "chosen"
    monkeypatch.delenv("CHROMATUNE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "chromatune"


# --- opening


def test_it_opens_without_its_photos(make_photos, cache_dir: Path) -> None:
    folder = make_photos(range(3))
    path = build_cache(folder, image_size=32, cache_dir=cache_dir).path
    for photo in folder.iterdir():
        photo.unlink()
    folder.rmdir()
    cache = open_cache(path)
    assert len(cache) == 3
    assert cache.source == str(folder.resolve())
    assert load_batch(cache, np.array([2]))[0].shape == (1, 1, 32, 32)


def test_it_is_read_only(make_photos, cache_dir: Path) -> None:
    cache = build_cache(make_photos(range(2)), image_size=32, cache_dir=cache_dir)
    with pytest.raises(ValueError, match="read-only"):
        cache.pixels[0] = 0


def test_what_is_no_cache_is_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match=r"must be a folder with a cache\.json"):
            open_cache(path)


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("photos.u8", lambda data: data[:-1]),
        ("photos.u8", lambda data: data + b"x"),
        ("photos.u8", None),
        ("cache.json", lambda data: data[: len(data) // 2]),
        ("cache.json", lambda data: data.replace(b'"format": 1', b'"format": 99')),
        ("cache.json", lambda data: data.replace(b'"photos": 3', b'"photos": "x"')),
        ("cache.json", lambda data: data.replace(b'"key"', b'"yek"')),
        ("cache.json", lambda data: b"[]"),
    ],
)
def test_a_damaged_cache_is_refused_when_opened_and_replaced_when_built(
    make_photos, cache_dir: Path, file: str, edit
) -> None:
    folder = make_photos(range(3))
    path = build_cache(folder, image_size=32, cache_dir=cache_dir).path
    before = contents(open_cache(path))
    if edit is None:
        (path / file).unlink()
    else:
        (path / file).write_bytes(edit(before[file]))
    with pytest.raises(InputError, match="damaged") as caught:
        open_cache(path)
    assert "\n" not in str(caught.value)
    assert contents(build_cache(folder, image_size=32, cache_dir=cache_dir)) == before


def test_lost_rows_of_names_are_noticed(make_photos, cache_dir: Path) -> None:
    cache = build_cache(make_photos(range(3)), image_size=32, cache_dir=cache_dir)
    rows = (cache.path / "photos.jsonl").read_text().splitlines(keepends=True)
    (cache.path / "photos.jsonl").write_text("".join(rows[:2]))
    with pytest.raises(InputError, match="must have 3 rows, not 2"):
        _ = cache.hashes
