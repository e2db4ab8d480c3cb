"""Which photos are colorized, and where each goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_pipeline.decode.formats import PREFIX_BYTES, sniff
from data_pipeline.errors import InputError
from models.colorize.save import SUFFIXES

#: endings by which people know photos, and the format each means: a file with one of them is a
#: photo or is reported
PHOTO_SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".apng": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".jp2": "JPEG2000",
    ".ppm": "PPM",
}


@dataclass(frozen=True)
class Job:
    """One photo to do, or a reason why it is not to be done."""

    source: Path
    #: where its coloured copy goes; None with a reason
    target: Path | None = None
    #: format of the copy, a key of `SUFFIXES`
    format: str = ""
    reason: str | None = None
    #: nothing is wrong with it, it was only left out
    harmless: bool = False
    #: its copy is there already and is kept
    exists: bool = False


def plan_jobs(
    photos: Sequence[Path], out: Path, *, output_format: str | None, force: bool
) -> list[Job]:
    """List the photos of `photos` (files, and folders with all below) with their targets in `out`.

    A folder's structure is mirrored; with more than one argument, below the folder's own name. No
    target is a photo that is to be read. Where the target is there already, from an earlier run,
    the job `exists`, unless `force`.

    Raises InputError when `out` is a file or one of the folders of photos, or when an argument
    does not exist.
    """
    out_id = _identity(out)
    if out_id is not None and not out.is_dir():
        raise InputError(f"--out must be a folder, but {out} is a file")
    found: list[tuple[Path, Path, str | None]] = []
    refused: list[Job] = []
    for photo in photos:
        if not (photo.exists() or photo.is_symlink()):
            raise InputError(f"a photo or folder must exist, but {photo} does not; check the path")
        if not photo.is_dir():
            found.append((photo, Path(photo.name), _sniff_file(photo)))
            continue
        if _identity(photo) == out_id:
            raise InputError(
                f"--out must not be the folder of the photos, but is {out}; name another folder"
            )
        base = Path(photo.resolve().name) if len(photos) > 1 else Path()
        for entry in _walk(photo, skip=out_id):
            if isinstance(entry, Job):
                refused.append(entry)
                continue
            kind = _sniff_file(entry)
            if kind in _FORMATS or entry.suffix.lower() in PHOTO_SUFFIXES:
                found.append((entry, base / entry.relative_to(photo), kind))
    sources = {_identity(source) for source, _, _ in found}
    taken: dict[Path, Path] = {}
    jobs = [
        _checked(_job(source, out / relative, kind, output_format), sources, taken, force=force)
        for source, relative, kind in found
    ]
    return jobs + refused


def _job(source: Path, target: Path, kind: str | None, output_format: str | None) -> Job:
    try:
        if not stat.S_ISREG(source.stat().st_mode):
            return Job(source, reason="not a file")
    except OSError as error:
        return Job(source, reason=f"cannot be read: {error.strerror}")
    kept = kind if kind in SUFFIXES else "PNG"
    format_name = output_format or kept
    has_suffix = target.suffix.lower() in PHOTO_SUFFIXES
    if kind != format_name or (output_format is not None and not has_suffix):
        name = target.stem if has_suffix else target.name
        target = target.with_name(name + SUFFIXES[format_name])
    return Job(source, target, format_name)


def _checked(
    job: Job, sources: set[tuple[int, int] | None], taken: dict[Path, Path], *, force: bool
) -> Job:
    """The job, unless its target must not be written; a target that may be is then taken."""
    if job.target is None:
        return job
    identity = _identity(job.target)
    if identity is not None and identity in sources:
        return Job(job.source, reason=f"its copy would replace a photo: {job.target}")
    other = taken.setdefault(job.target, job.source)
    if other != job.source:
        return Job(job.source, reason=f"its copy would have the same name as that of {other}")
    return replace(job, exists=not force and job.target.is_file())


_FORMATS = frozenset((*SUFFIXES, "GIF"))


def _sniff_file(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None  # opening a pipe would wait for ever
        with path.open("rb") as file:
            return sniff(file.read(PREFIX_BYTES))
    except OSError:
        return None


def _walk(folder: Path, *, skip: tuple[int, int] | None) -> Iterator[Path | Job]:
    """All files below a folder in order of their names; each folder once, also through links.

    A link upwards, to a folder that this one is in, is not followed.
    """
    resolved = folder.resolve()
    seen = {_identity(place) for place in (resolved, *resolved.parents)}
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            entries = sorted(current.iterdir(), key=os.fsencode)
        except OSError as error:
            yield Job(current, reason=f"cannot be read: {error.strerror}")
            continue
        folders: list[Path] = []
        for entry in entries:
            if not entry.is_dir():
                yield entry
                continue
            identity = _identity(entry)
            if identity == skip:
                continue
            if identity in seen:
                yield Job(entry, reason="a link to a folder that is read already", harmless=True)
                continue
            seen.add(identity)
            folders.append(entry)
        waiting += reversed(folders)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells two names of the same file or folder; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
