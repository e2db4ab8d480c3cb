"""Record trainings on real photos, a row an epoch, for studies that look them up later.

    python -m benchmarks.recordings PLAN --images DIR --out ROWS.jsonl --store DIR [--until HH:MM]

PLAN is one of those in `plans`. What ROWS.jsonl holds is not recorded again, so the same command
goes on after an interruption, at whatever moment it came; it costs one training at most. `--store`
keeps beginnings and outputs. Two processes may share the work with `--part 0/2` and `--part 1/2`,
their own `--out` and one `--store`: a generator and seed belong to one of them.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.recordings.beginnings import key_of
from benchmarks.recordings.evaluation import Evaluation
from benchmarks.recordings.judge import FeatureNetwork
from benchmarks.recordings.partition import PhotoSets
from benchmarks.recordings.plans import PLANS, image_size_of, pieces
from benchmarks.recordings.recorder import Piece, Recorder
from benchmarks.recordings.rows import Row, append_rows, open_rows
from models.training.settings import TrainingSettings


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("plan", choices=PLANS)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--until", help="HH:MM after which no piece is begun")
    parser.add_argument("--part", default="0/1", help="K/N: this process's share")
    parser.add_argument("--limit", type=int, help="record so many pieces at most")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    photos = PhotoSets.open(options.images, image_size=image_size_of(options.plan))
    recorder = Recorder(photos, Evaluation(photos, FeatureNetwork()), options.store)
    record_plan(
        options.plan,
        recorder,
        options.out,
        part=options.part,
        limit=options.limit,
        deadline=_deadline(options.until),
    )


def record_plan(
    plan: str,
    recorder: Recorder,
    out: Path,
    *,
    part: str = "0/1",
    limit: int | None = None,
    deadline: float | None = None,
) -> int:
    """Record what `out` does not hold yet; return how many pieces were recorded."""
    spans = _Spans(open_rows(out))
    recorded = 0
    for piece in pieces(plan):
        known = spans.holds(piece)
        if not _is_ours(piece, part) or (known and recorder.is_kept(piece)):
            continue
        if spans.holds(replace(piece, end=piece.end + 1)):
            continue  # recorded further on in one go
        if recorded == limit or (deadline is not None and time.time() > deadline):
            break
        if not recorder.can_start(piece):
            continue  # what it goes on from failed
        began = time.perf_counter()
        rows = recorder.record(piece)
        if not known:
            append_rows(out, rows)
            spans.add(rows[-1])
        recorded += 1
        print(_line(piece, rows[-1], time.perf_counter() - began), flush=True)
    return recorded


class _Spans:
    """Which epochs of which settings are recorded, in one piece each."""

    def __init__(self, last_rows: Iterable[Row]) -> None:
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for row in last_rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Note the last row of a piece."""
        settings = TrainingSettings.from_dict(row["settings"])
        key = key_of(settings=settings.identity())
        self._spans.setdefault(key, []).append((row["start"], row["end"]))

    def holds(self, piece: Piece) -> bool:
        """Whether one recorded piece has all epochs of this one."""
        spans = self._spans.get(key_of(settings=piece.settings.identity()), [])
        return any(start <= piece.start and end >= piece.end for start, end in spans)


def _is_ours(piece: Piece, part: str) -> bool:
    share, n_parts = map(int, part.split("/"))
    settings = piece.settings
    return (hash((settings.generator_complexity, settings.generator_lr)) + settings.seed) % (
        n_parts
    ) == share


def _deadline(until: str | None) -> float | None:
    if until is None:
        return None
    clock = datetime.time.fromisoformat(until)
    return datetime.datetime.combine(datetime.date.today(), clock).timestamp()


def _line(piece: Piece, last: dict, seconds: float) -> str:
    kid = "failed" if "failed" in last else f"kid {last['judge']['kid'][-1]:.2f}"
    return (
        f"{datetime.datetime.now():%H:%M:%S} {last['kind']} {piece.number} seed "
        f"{piece.settings.seed} epochs {piece.start}-{piece.end} {seconds:.0f} s  {kid}"
    )


if __name__ == "__main__":
    main()
