"""One photo to the file that a person names, or through standard input and output (`-`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from data_pipeline.decode.photo import MAX_FILE_BYTES, PhotoError, read_file
from data_pipeline.errors import InputError
from models.bundle.store import Bundle
from models.colorize.jobs import PHOTO_SUFFIXES
from models.colorize.opened_photo import Photo, decode_opened, open_photo
from models.colorize.paths import PhotoResult
from models.colorize.pipeline import check_strength, colorize_photo
from models.colorize.save import SUFFIXES, check_format, encode_photo, save_photo

#: standard input among the photos, standard output as the target
STREAM = Path("-")


def is_single(photos: Sequence[Path], out: Path) -> bool:
    """Whether `out` is a file or a stream, and not a folder for copies of photos."""
    return STREAM in (*photos, out) or (out.suffix.lower() in PHOTO_SUFFIXES and not out.is_dir())


def colorize_single(
    photos: Sequence[Path],
    out: Path,
    bundle: Bundle,
    *,
    stdin: BinaryIO,
    stdout: BinaryIO,
    strength: float = 1.0,
    compare: bool = False,
    output_format: str | None = None,
    force: bool = False,
) -> PhotoResult:
    """Colorize one photo into the file `out`, from `stdin` or into `stdout` where a path is `-`.

    The format is that of `out`'s name; on `stdout`, `output_format` or that of the photo. An
    existing file is replaced only with `force`. Options are those of `colorize_paths`.

    Returns a result with a reason when `out` cannot be written. Raises InputError for more than
    one photo, a photo that cannot be read, a format or an `out` that cannot be; nothing is written.
    """
    check_strength(strength)
    if len(photos) != 1:
        raise InputError(f"with - or --out FILE there is one photo, but got {len(photos)}")
    (source,) = photos
    format_name = check_format(output_format)
    if out == STREAM:
        if stdout.isatty():
            raise InputError("--out - writes a picture, which no terminal shows; redirect it")
    else:
        format_name = _format_of(out, format_name)
        _check_target(source, out, force=force)
    photo = _read(source, stdin)
    format_name = format_name or (photo.format if photo.format in SUFFIXES else "PNG")
    width, height = photo.size
    coloured = colorize_photo(photo, bundle, strength=strength, compare=compare)
    encoded = io.BytesIO()
    try:
        if out == STREAM:
            notes = encode_photo(encoded, coloured.pixels, photo, format_name)
        else:
            notes = save_photo(out, coloured.pixels, photo, format_name)
    except PhotoError as error:
        return PhotoResult(source=source, out=None, reason=str(error))
    stdout.write(encoded.getbuffer())
    return PhotoResult(
        source=source,
        out=out,
        notes=(*photo.notes, *notes),
        n_pixels=width * height,
        n_reduced=coloured.n_reduced,
    )


def _format_of(out: Path, asked: str | None) -> str:
    """The format that the name of `out` means."""
    named = PHOTO_SUFFIXES.get(out.suffix.lower(), "")
    if named not in SUFFIXES:
        endings = ", ".join(SUFFIXES.values())
        raise InputError(f"--out must end in one of {endings}, or be -, but is {out}")
    if asked not in (None, named):
        raise InputError(f"--format must be that of --out, {named.lower()}, but is {asked.lower()}")
    return named


def _check_target(source: Path, out: Path, *, force: bool) -> None:
    if not out.exists():
        return
    if source.exists() and out.samefile(source):
        raise InputError(f"--out must not be the photo itself, but is {out}; name another file")
    if not force:
        raise InputError(
            f"--out must be a new file, but {out} exists; name another, or use --force"
        )


def _read(source: Path, stdin: BinaryIO) -> Photo:
    try:
        if source != STREAM:
            if source.exists() and not source.is_file():
                raise PhotoError("not a file, which --out FILE needs")
            data = read_file(source)
        else:
            data = stdin.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise PhotoError(f"too large: more than {MAX_FILE_BYTES >> 20} MiB")
        return decode_opened(open_photo(data))
    except PhotoError as error:
        name = "standard input" if source == STREAM else source
        raise InputError(f"{name}: {error}") from error
