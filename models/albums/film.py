"""A film as a folder of frames: coloured in their order, the colours smoothed over time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.decode.photo import PhotoError, read_file
from data_pipeline.errors import InputError
from data_pipeline.parallel import usable_cores
from models.albums.chroma_smoothing import MEMORY, ChromaAverage
from models.bundle.store import Bundle
from models.colorize.chroma_field import ChromaField, fit_chroma
from models.colorize.jobs import Job, plan_jobs
from models.colorize.opened_photo import Photo, decode_opened, open_photo
from models.colorize.paths import PhotoResult, finish_photo, quiet_libraries
from models.colorize.pipeline import check_strength, network_input
from models.colorize.prediction import join_squares, predict_chroma
from models.colorize.recolor import recolor_photo
from models.colorize.save import check_format


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A frame whose chroma is known."""

    job: Job
    photo: Photo
    field: ChromaField


def colorize_film(
    photos: Sequence[Path],
    out: Path,
    bundle: Bundle,
    *,
    strength: float = 1.0,
    compare: bool = False,
    output_format: str | None = None,
    force: bool = False,
    on_progress: Callable[[PhotoResult, int, int], None] | None = None,
) -> list[PhotoResult]:
    """Colorize one folder of frames, in the natural order of their names, into the folder `out`.

    Options, results and errors are those of `models.colorize.paths.colorize_paths`; InputError also
    for anything but one folder. A second run goes on where the first ended: the network sees the
    `MEMORY` frames before again, so that no seam shows.
    """
    check_strength(strength)
    if len(photos) != 1 or not photos[0].is_dir():
        shown = ", ".join(map(str, photos[:3]))
        raise InputError(f"a film must be one folder of frames, but got {shown}")
    planned = plan_jobs(photos, out, output_format=check_format(output_format), force=force)
    jobs = sorted(planned, key=lambda job: natural_order(job.source))
    results: dict[int, PhotoResult] = {}

    def done(index: int, result: PhotoResult) -> None:
        results[index] = result
        if on_progress is not None:
            on_progress(result, len(results), len(jobs))

    n_threads = usable_cores()
    waiting: deque[tuple[int, Future[PhotoResult]]] = deque()
    average = ChromaAverage()
    next_missing = _next_missing(jobs)
    with quiet_libraries(n_threads), ThreadPoolExecutor(n_threads) as pool:
        for index, job in enumerate(jobs):
            existing = PhotoResult(source=job.source, out=job.target, existed=True)
            if job.exists and not index < next_missing[index] <= index + MEMORY:
                average.reset()
                done(index, existing)
                continue
            try:
                frame = _seen(job, bundle, average, strength)
            except PhotoError as error:
                failed = PhotoResult(
                    source=job.source, out=None, reason=str(error), harmless=job.harmless
                )
                done(index, existing if job.exists else failed)
                continue
            if job.exists:
                done(index, existing)
                continue
            waiting.append((index, pool.submit(_finish, frame, compare=compare)))
            del frame
            if len(waiting) > n_threads:  # no more frames are held than are worked on
                oldest, future = waiting.popleft()
                done(oldest, future.result())
        for oldest, future in waiting:
            done(oldest, future.result())
    return [results[index] for index in range(len(jobs))]


def natural_order(path: Path) -> list[tuple[int, str]]:
    """What sorts paths by the numbers in them: frame2 before frame10."""
    words = re.findall(r"[0-9]+|[^0-9]+", str(path))
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in words]


def _next_missing(jobs: Sequence[Job]) -> list[int]:
    """For each frame the next from it on that is to be made; one out of reach if none is."""
    following = len(jobs) + MEMORY
    places: list[int] = []
    for index in reversed(range(len(jobs))):
        if not jobs[index].exists:
            following = index
        places.append(following)
    return places[::-1]


def _seen(job: Job, bundle: Bundle, average: ChromaAverage, strength: float) -> _Frame:
    """Decode a frame and add it to the average. Raises PhotoError when it cannot be read."""
    if job.reason is not None:
        raise PhotoError(job.reason)
    photo = decode_opened(open_photo(read_file(job.source)))
    width, height = photo.size
    shown = network_input(photo, bundle)
    ab_n2SS = predict_chroma(bundle.generator, shown.squares)
    ab_2hw = average.add(shown.L_hw, join_squares(ab_n2SS, *shown.L_hw.shape))
    field = fit_chroma(shown.L_hw, ab_2hw * strength, height=height, width=width)
    return _Frame(job=job, photo=photo, field=field)


def _finish(frame: _Frame, *, compare: bool) -> PhotoResult:
    """Colour, encode and write a frame."""
    return finish_photo(
        frame.job, frame.photo, lambda: recolor_photo(frame.photo, frame.field, compare=compare)
    )
