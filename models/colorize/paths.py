"""Colour for files and folders of photos.

Each thread takes a handful of photos at a time: it decodes them, shows all their squares to the
network in one batch, and colours and encodes them. So small photos share a batch, one thread's
decoding overlaps another's network, and no thread waits for another.
"""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from cv2.utils import logging as cv2_log
from PIL.Image import core as _pillow  # type: ignore[attr-defined]

from data_pipeline.decode.photo import PhotoError, read_file
from data_pipeline.parallel import usable_cores
from models.bundle.store import Bundle
from models.colorize.chroma_field import FloatArray
from models.colorize.jobs import Job, plan_jobs
from models.colorize.opened_photo import Photo, decode_opened, open_photo
from models.colorize.pipeline import NetworkInput, apply_chroma, check_strength, network_input
from models.colorize.prediction import predict_chroma
from models.colorize.recolor import Recolored
from models.colorize.save import check_format, save_photo

# a thread holds photos until they make so many squares or have so many pixels
_HANDFUL_SQUARES = 16
_HANDFUL_PIXELS = 2**22
# larger photos are done one at a time: 100 megapixels decoded are 0.4 GB, and 0.8 GB in 16 bits
_LARGE_PIXELS = 30_000_000
# Pillow's blocks that each thread keeps for the next photo: one of 12 megapixels in grey and colour
_KEPT_BLOCKS = 4


@dataclass(frozen=True, kw_only=True)
class PhotoResult:
    """What became of one photo."""

    source: Path
    #: the coloured copy; None when there is none, and `reason` says why
    out: Path | None
    reason: str | None = None
    #: the copy was there already, from an earlier run, and was kept
    existed: bool = False
    #: left out without anything being wrong, such as a folder that is linked twice
    harmless: bool = False
    #: what could not be kept, such as the other frames of an animation
    notes: tuple[str, ...] = ()
    n_pixels: int = 0
    #: pixels whose colour lay outside sRGB and lost chroma
    n_reduced: int = 0

    @property
    def failed(self) -> bool:
        """Whether the photo should have been colorized and was not."""
        return self.out is None and not self.harmless

    @property
    def message(self) -> str | None:
        """Reason or notes in one line that any terminal can print; None when all went well."""
        words = self.reason or "; ".join(self.notes)
        return f"{printable(self.source)}: {printable(words)}" if words else None


def colorize_paths(
    photos: Sequence[Path],
    out: Path,
    bundle: Bundle,
    *,
    strength: float = 1.0,
    compare: bool = False,
    output_format: str | None = None,
    force: bool = False,
    n_threads: int | None = None,
    on_progress: Callable[[PhotoResult, int, int], None] | None = None,
) -> list[PhotoResult]:
    """Colorize photos and folders (with all below, structure mirrored) into the folder `out`.

    A photo that cannot be done is a result with a reason and does not stop the others.

    Args:
        photos: files and folders; links are followed, each folder is read once.
        out: made if need be. A photo whose copy is there already is left out, unless `force`:
            so a second run goes on where the first ended. None of the photos is ever replaced.
        bundle: the generator, on the device where it shall run.
        strength: 0 grey, 1 as learned, above 1 more.
        compare: write original and result side by side.
        output_format: `jpeg`, `png`, `webp`, `tiff` or `avif`; None keeps that of each photo.
        n_threads: photos that are worked on at a time; None is one for each processor core.
        on_progress: called with (result, done, total) after each photo, from this thread.

    Returns one result a photo, in the order of their names.

    Raises InputError for a strength, a format or an `out` that cannot be, and for a photo or
    folder that does not exist; nothing is written then.
    """
    check_strength(strength)
    options = _Options(
        bundle=bundle,
        strength=strength,
        compare=compare,
    )
    jobs = plan_jobs(photos, out, output_format=check_format(output_format), force=force)
    n_threads = max(1, min(n_threads or usable_cores(), len(jobs)))
    finished: queue.SimpleQueue[tuple[int, PhotoResult] | BaseException] = queue.SimpleQueue()
    source = _Source(jobs)
    results: dict[int, PhotoResult] = {}
    with quiet_libraries(n_threads), ThreadPoolExecutor(n_threads) as pool:
        for _ in range(n_threads):
            pool.submit(_work, source, options, finished)
        try:
            while len(results) < len(jobs):
                item = finished.get()
                if isinstance(item, BaseException):
                    raise item
                index, result = item
                results[index] = result
                if on_progress is not None:
                    on_progress(result, len(results), len(jobs))
        finally:
            source.stop()
    return [results[index] for index in range(len(jobs))]


def printable(text: Path | str) -> str:
    """Text of any origin in one line, with what no terminal should get written as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )


@dataclass(frozen=True, kw_only=True)
class _Options:
    bundle: Bundle
    strength: float
    compare: bool


class _Source:
    """Hands out jobs to threads, each once and in order."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = iter(enumerate(jobs))
        self._lock = threading.Lock()
        self._stopped = False
        #: held by a thread while it works on a large photo
        self.large = threading.Lock()

    def take(self) -> tuple[int, Job] | None:
        """Hand out the next job; None when there are no more."""
        with self._lock:
            return None if self._stopped else next(self._jobs, None)

    def stop(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._stopped = True


@dataclass
class _Work:
    """A photo between its decoding and its encoding."""

    index: int
    job: Job
    photo: Photo
    shown: NetworkInput


def _work(
    source: _Source,
    options: _Options,
    finished: queue.SimpleQueue[tuple[int, PhotoResult] | BaseException],
) -> None:
    """Work on handfuls of photos until there are no more."""
    try:
        for handful in _handfuls(source, options, finished):
            squares = np.concatenate([work.shown.squares for work in handful])
            ab_n2SS = predict_chroma(options.bundle.generator, squares)
            first = 0
            while handful:
                work = handful.pop(0)  # its pixels are freed when it is done
                last = first + len(work.shown.squares)
                finished.put((work.index, _finish(work, ab_n2SS[first:last], options)))
                del work
                first = last
    except BaseException as error:
        finished.put(error)


def _handfuls(
    source: _Source,
    options: _Options,
    finished: queue.SimpleQueue[tuple[int, PhotoResult] | BaseException],
) -> Iterator[list[_Work]]:
    """Decode photos until they fill a batch, or make a large one alone."""
    handful: list[_Work] = []
    n_squares = n_pixels = 0
    while (item := source.take()) is not None:
        index, job = item
        if job.exists:
            finished.put((index, PhotoResult(source=job.source, out=job.target, existed=True)))
            continue
        try:
            if job.reason is not None:
                raise PhotoError(job.reason)
            opened = open_photo(read_file(job.source))
            if opened.n_pixels > _LARGE_PIXELS:
                if handful:
                    yield handful
                    handful, n_squares, n_pixels = [], 0, 0
                with source.large:
                    photo = decode_opened(opened)
                    work = _Work(index, job, photo, network_input(photo, options.bundle))
                    del opened, photo
                    alone = [work]
                    del work
                    yield alone
                continue
            photo = decode_opened(opened)
            work = _Work(index, job, photo, network_input(photo, options.bundle))
        except PhotoError as error:
            result = PhotoResult(
                source=job.source, out=None, reason=str(error), harmless=job.harmless
            )
            finished.put((index, result))
            continue
        handful.append(work)
        n_squares += len(work.shown.squares)
        n_pixels += opened.n_pixels
        del opened, photo, work
        if n_squares >= _HANDFUL_SQUARES or n_pixels >= _HANDFUL_PIXELS:
            yield handful
            handful, n_squares, n_pixels = [], 0, 0
    if handful:
        yield handful


def _finish(work: _Work, ab_n2SS: FloatArray, options: _Options) -> PhotoResult:
    """Colour, encode and write a photo."""
    return finish_photo(
        work.job,
        work.photo,
        lambda: apply_chroma(
            work.photo, work.shown, ab_n2SS, strength=options.strength, compare=options.compare
        ),
    )


def finish_photo(job: Job, photo: Photo, recolor: Callable[[], Recolored]) -> PhotoResult:
    """Colour a photo by `recolor`, encode it and write it; what fails is in the result."""
    assert job.target is not None
    width, height = photo.size
    try:
        coloured = recolor()
        notes = save_photo(job.target, coloured.pixels, photo, job.format)
    except PhotoError as error:
        return PhotoResult(source=job.source, out=None, reason=str(error))
    except MemoryError:
        return PhotoResult(source=job.source, out=None, reason="not enough memory")
    return PhotoResult(
        source=job.source,
        out=job.target,
        notes=(*photo.notes, *notes),
        n_pixels=width * height,
        n_reduced=coloured.n_reduced,
    )


@contextmanager
def quiet_libraries(n_threads: int) -> Iterator[None]:
    """Have libraries start no threads beside ours, keep memory, and print of no damaged files."""
    torch_before, cv2_before = torch.get_num_threads(), cv2.getNumThreads()
    cv2_level = cv2_log.getLogLevel()
    blocks_before = _pillow.get_blocks_max()
    torch.set_num_threads(max(1, torch_before // n_threads))
    cv2.setNumThreads(1)
    cv2_log.setLogLevel(cv2_log.LOG_LEVEL_SILENT)
    # A photo's memory (blocks of 16 MB) goes to the next photo: fresh memory, which the system
    # clears page by page, costs a third of decoding.
    _pillow.set_blocks_max(max(blocks_before, n_threads * _KEPT_BLOCKS))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(torch_before)
        cv2.setNumThreads(cv2_before)
        cv2_log.setLogLevel(cv2_level)
        _pillow.set_blocks_max(blocks_before)
