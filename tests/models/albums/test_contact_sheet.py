"""Contact sheets: input beside output with its name, on pages of a bounded size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from data_pipeline.errors import InputError
from models.albums.contact_sheet import BOX, check_contact_sheet, write_contact_sheet
from models.colorize.paths import PhotoResult


def result(
    folder: Path, name: str, size: tuple[int, int], grey: int, colour: tuple[int, ...]
) -> PhotoResult:
    for part in ("in", "out"):
        (folder / part).mkdir(exist_ok=True)
    Image.new("L", size, grey).save(folder / "in" / name)
    Image.new("RGB", size, colour).save(folder / "out" / name)
    return PhotoResult(source=folder / "in" / name, out=folder / "out" / name)


def pixels(path: Path) -> npt.NDArray[np.int64]:
    return np.asarray(Image.open(path)).astype(int)


def test_inputs_stand_beside_outputs_with_their_names(tmp_path: Path) -> None:
    results = [
        result(tmp_path, "wide.png", (600, 200), 90, (200, 60, 40)),
        PhotoResult(source=tmp_path / "broken.png", out=None, reason="damaged"),
        result(tmp_path, "tall" + "0123456789" * 15 + ".png", (20, 60), 160, (30, 80, 220)),
    ]
    (page,) = write_contact_sheet(tmp_path / "sheet.jpg", results)
    sheet = pixels(page)
    middle = 12 + BOX[1] // 2
    for pair, expected in enumerate([(90, (200, 60, 40)), (160, (30, 80, 220))]):
        left = 12 + pair * (2 * BOX[0] + 12)
        grey, colour = expected
        assert np.abs(sheet[middle, left + BOX[0] // 2] - grey).max() < 8
        assert np.abs(sheet[middle, left + BOX[0] * 3 // 2] - colour).max() < 16
        name = sheet[12 + BOX[1] + 2 : 12 + BOX[1] + 18, left : left + 2 * BOX[0]]
        assert name.min() < 100
        # however long the name is, it ends before the next pair
        gap = sheet[12 + BOX[1] : 12 + BOX[1] + 18, left + 2 * BOX[0] : left + 2 * BOX[0] + 12]
        assert gap.min() > 200
    # 600 x 200 keeps its proportions; 20 x 60 is not enlarged
    assert sheet[12 + 30, 12 + 100].min() > 250
    assert sheet[12 + 30, 12 + 2 * BOX[0] + 12 + BOX[0] // 2].min() > 250


def test_pages_are_bounded_and_those_of_a_longer_sheet_go(tmp_path: Path) -> None:
    some = result(tmp_path, "a.png", (40, 30), 100, (90, 100, 120))
    sheet = tmp_path / "sheet.jpg"
    pages = write_contact_sheet(sheet, [some] * 50)
    assert [page.name for page in pages] == ["sheet.jpg", "sheet-2.jpg", "sheet-3.jpg"]
    sizes = [Image.open(page).size for page in pages]
    assert sizes[0] == sizes[1]
    assert sizes[2][1] < sizes[0][1]
    assert sizes[0][0] * sizes[0][1] < 2_600_000
    check_contact_sheet(sheet, [tmp_path / "in"], tmp_path / "out")  # ours: may be replaced
    assert write_contact_sheet(sheet, [some]) == [sheet]
    assert sorted(path.name for path in tmp_path.glob("sheet*")) == ["sheet.jpg"]
    assert write_contact_sheet(sheet, []) == []


def test_nothing_but_an_older_sheet_is_replaced(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "photos" / "out"
    out.mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "holiday-2.jpg", comment=b"mine")
    (tmp_path / "text.jpg").write_text("mine")
    write_contact_sheet(tmp_path / "holiday.jpg", [result(tmp_path, "a.png", (9, 9), 0, (0, 0, 0))])
    for name, message in {
        "sheet.png": "must end in .jpg",
        "absent/sheet.jpg": "a folder that exists",
        "text.jpg": "must be a new file or an older sheet",
        "holiday.jpg": r"holiday-2\.jpg is neither",
        "photos/sheet.jpg": "must not lie among the photos",
    }.items():
        with pytest.raises(InputError, match=message):
            check_contact_sheet(tmp_path / name, [photos], out)
    check_contact_sheet(out / "sheet.jpg", [photos], out)
    check_contact_sheet(tmp_path / "new" / "sheet.jpg", [photos], tmp_path / "new")
