"""A film in frames: in order, with less flicker, sharp at cuts, and seamless when it goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.color import rgb2lab

from data_pipeline.errors import InputError
from models.albums.film import colorize_film, natural_order
from models.colorize.paths import colorize_paths
from tests.models.photo_folders import BUNDLE, by_name, contents

N_FRAMES, CUT = 16, 9
#: the network of the tests is pale
STRENGTH = 12.0


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two still scenes in grey with grain: frames 1 to 8 and 9 to 16."""
    folder = tmp_path_factory.mktemp("film")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:32, 0:48]
    scenes = 60 + 2.0 * x, 200 - 3.0 * y - 0.5 * x
    for number in range(1, N_FRAMES + 1):
        grey = scenes[number >= CUT] + rng.normal(0, 5, (32, 48))
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"frame{number}.png")
    return folder


@pytest.fixture(scope="module")
def smoothed(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("smoothed")
    results = colorize_film([frames], out, BUNDLE, strength=STRENGTH)
    assert [result.source.name for result in results] == [
        f"frame{number}.png" for number in range(1, N_FRAMES + 1)
    ]
    assert {result.reason for result in results} == {None}
    return out


def chroma(folder: Path, first: int, last: int) -> npt.NDArray[np.float64]:
    names = [f"frame{number}.png" for number in range(first, last + 1)]
    return np.stack([rgb2lab(np.asarray(Image.open(folder / name)))[..., 1:] for name in names])


def test_flicker_falls_and_a_cut_is_not_smeared(
    frames: Path, smoothed: Path, tmp_path: Path
) -> None:
    colorize_paths([frames], tmp_path, BUNDLE, strength=STRENGTH)
    for first, last in ((1, CUT - 1), (CUT, N_FRAMES)):
        flicker, before = (
            np.abs(np.diff(chroma(folder, first, last), axis=0)).mean()
            for folder in (smoothed, tmp_path)
        )
        assert before > 1
        assert flicker < before / 3
        # Colours are those of the scene, only steadier.
        mean, mean_before = (
            chroma(folder, first, last).mean(axis=0) for folder in (smoothed, tmp_path)
        )
        assert np.abs(mean - mean_before).mean() < before
    # The first frame of a scene knows nothing of another; the next ones do not remember it either.
    for number in (1, CUT):
        name = f"frame{number}.png"
        assert (smoothed / name).read_bytes() == (tmp_path / name).read_bytes()
    step = np.abs(np.diff(chroma(smoothed, CUT - 1, CUT), axis=0)).mean()
    assert step > 0.8 * np.abs(np.diff(chroma(tmp_path, CUT - 1, CUT), axis=0)).mean()


def test_a_second_run_leaves_no_seam(frames: Path, smoothed: Path, tmp_path: Path) -> None:
    expected = contents(smoothed)
    colorize_film([frames], tmp_path, BUNDLE, strength=STRENGTH)
    for number in (6, 13, 16):
        (tmp_path / f"frame{number}.png").unlink()
    seen: list[tuple[int, int]] = []
    results = colorize_film(
        [frames],
        tmp_path,
        BUNDLE,
        strength=STRENGTH,
        on_progress=lambda _, done, total: seen.append((done, total)),
    )
    assert contents(tmp_path) == expected
    assert [result.source.name for result in results if not result.existed] == [
        "frame6.png",
        "frame13.png",
        "frame16.png",
    ]
    assert seen == [(done, N_FRAMES) for done in range(1, N_FRAMES + 1)]


def test_a_damaged_frame_is_left_out_and_the_film_goes_on(frames: Path, tmp_path: Path) -> None:
    copy = tmp_path / "film"
    copy.mkdir()
    for number in (1, 2, 4):
        (copy / f"frame{number}.png").write_bytes((frames / f"frame{number}.png").read_bytes())
    (copy / "frame3.png").write_bytes((frames / "frame3.png").read_bytes()[:200])
    results = by_name(colorize_film([copy], tmp_path / "out", BUNDLE))
    assert [name for name, result in results.items() if result.failed] == ["frame3.png"]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_film_is_one_folder(frames: Path, tmp_path: Path) -> None:
    for photos in ([frames / "frame1.png"], [frames, frames]):
        with pytest.raises(InputError, match="a film must be one folder of frames"):
            colorize_film(photos, tmp_path / "out", BUNDLE)
    assert list(tmp_path.iterdir()) == []


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["b/1.png", "a/frame10.png", "a/frame2.png", "a/frame.png", "a/10.png", "a/9b.png"]
    assert sorted(map(Path, names), key=natural_order) == [
        Path(name)
        for name in (
            "a/9b.png",
            "a/10.png",
            "a/frame2.png",
            "a/frame10.png",
            "a/frame.png",
            "b/1.png",
        )
    ]
