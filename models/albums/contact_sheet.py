"""Contact sheets: what went in beside what came out, many photos on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from data_pipeline.decode.photo import PhotoError, decode_photo, read_file
from data_pipeline.durable import replacing
from data_pipeline.errors import InputError
from data_pipeline.parallel import usable_cores
from models.colorize.paths import PhotoResult, printable

ROWS, COLUMNS = 8, 3
#: largest width and height of a small picture, in pixels; a page has 2 x 3 x 8 of them
BOX = (240, 180)
_GAP, _LINE, _FONT_SIZE = 12, 20, 13
_SUFFIXES = (".jpg", ".jpeg")
#: the comment in a sheet's file, by which it is known to be ours and may be replaced
_MARK = b"contact sheet by chromatune"


def check_contact_sheet(path: Path, photos: Sequence[Path], out: Path) -> None:
    """Raise InputError unless a sheet may be written to `path`, beside results in `out`.

    Only an older sheet is ever replaced, and none is put where it would be taken for a photo.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"a contact sheet must end in .jpg, but is {path}")
    if not path.parent.is_dir() and path.parent.resolve() != out.resolve():
        raise InputError(f"a contact sheet needs a folder that exists, but {path.parent} does not")
    for page in _existing_pages(path):
        if not _is_sheet(page):
            raise InputError(
                f"a contact sheet must be a new file or an older sheet, but {page} is neither; "
                "name another"
            )
    place = path.resolve()
    for photo in photos:
        among = photo.is_dir() and place.is_relative_to(photo.resolve())
        if among and not place.is_relative_to(out.resolve()):
            raise InputError(
                f"a contact sheet must not lie among the photos, but {path} does; put it into {out}"
            )


def write_contact_sheet(path: Path, results: Sequence[PhotoResult]) -> list[Path]:
    """Write photos and their coloured copies, side by side with their names, as JPEG pages.

    The first page is `path` (a.jpg), the next are a-2.jpg, a-3.jpg; each has at most 24 pairs and
    2.6 megapixels. Photos without a copy are left out. Returns the pages.
    """
    done = [result for result in results if result.out is not None]
    per_page = ROWS * COLUMNS
    pages: list[Path] = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for first in range(0, len(done), per_page):
            some = done[first : first + per_page]
            pairs = list(pool.map(_pair, some))
            page = path if not pages else path.with_stem(f"{path.stem}-{len(pages) + 1}")
            with replacing(page, durable=False) as temporary:
                _page(some, pairs).save(temporary, "JPEG", quality=88, comment=_MARK)
            pages.append(page)
    for stale in set(_existing_pages(path)) - set(pages):  # of an older, longer sheet
        if _is_sheet(stale):
            stale.unlink()
    return pages


def _page(results: Sequence[PhotoResult], pairs: Sequence[Image.Image]) -> Image.Image:
    n_rows = -(-len(results) // COLUMNS)
    n_columns = min(COLUMNS, len(results))
    width, height = 2 * BOX[0] + _GAP, BOX[1] + _LINE + _GAP
    page = Image.new("RGB", (_GAP + n_columns * width, _GAP + n_rows * height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_FONT_SIZE)
    for place, (result, pair) in enumerate(zip(results, pairs, strict=True)):
        left = _GAP + place % COLUMNS * width
        top = _GAP + place // COLUMNS * height
        page.paste(pair, (left, top))
        name = printable(result.source.name)
        while len(name) > 4 and draw.textlength(name, font=font) > 2 * BOX[0]:
            middle = len(name) // 2
            name = name[: middle - 1] + "…" + name[middle + 1 :]
        draw.text((left, top + BOX[1] + 2), name, fill="black", font=font)
    return page


def _pair(result: PhotoResult) -> Image.Image:
    """A photo and its copy, each in the middle of its box."""
    both = Image.new("RGB", (2 * BOX[0], BOX[1]), "white")
    for side, path in enumerate((result.source, result.out)):
        assert path is not None
        try:
            small = Image.fromarray(decode_photo(read_file(path), at_least=max(BOX)))
        except PhotoError:  # has gone or changed meanwhile
            continue
        small.thumbnail(BOX)
        left = side * BOX[0] + (BOX[0] - small.width) // 2
        both.paste(small, (left, (BOX[1] - small.height) // 2))
    return both


def _existing_pages(path: Path) -> Iterator[Path]:
    """The file of a sheet and those of further pages, as far as they are there."""
    if path.exists():
        yield path
    page, number = path.with_stem(f"{path.stem}-2"), 2
    while page.exists():
        yield page
        number += 1
        page = path.with_stem(f"{path.stem}-{number}")


def _is_sheet(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return image.info.get("comment") == _MARK
    except (OSError, ValueError):
        return False
