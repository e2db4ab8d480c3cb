"""Reads a run's folder as it grows, from where a tracker had got to.

What a tracker has got is remembered in the run's folder, in rows of `tracking/NAME.jsonl`: so a
session that goes on sends nothing twice, and one whose tracker was away sends what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from analysis.stored_run.rows import decode_row
from models.file_names import CURVES, VALIDATION
from search.run.directory import cut_rows, read_rows
from search.run.trial_rows import Row
from search.tracking.from_rows import end_of, epoch_of, trial_of
from search.tracking.tracker import TrackedEnd, TrackedEpoch, TrackedTrial

#: folder of a run with what its trackers have got
NOTES = "tracking"
#: rows of trials.jsonl that are read at once, where there is much to make up for
MANY = 200


class GrowingRows:
    """The rows of a file that others append to, each given out once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self, limit: int | None = None) -> list[Row]:
        """Rows since the last call, `limit` at most; one that is being written comes later."""
        rows: list[Row] = []
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if len(rows) == limit or not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    if row := decode_row(line.decode(errors="replace")):
                        rows.append(row)
        except FileNotFoundError:
            pass
        return rows


class FollowedTrial:
    """A trial of which its tracker has not got all."""

    def __init__(self, begin: TrackedTrial, folder: Path, *, sent_epoch: int) -> None:
        self.begin = begin
        self.folder = folder
        #: the last epoch that the tracker has
        self.sent_epoch = sent_epoch
        #: epochs that it has not
        self.epochs: list[TrackedEpoch] = []
        #: once it has ended
        self.end: TrackedEnd | None = None
        #: whether this session has told the tracker of it
        self.started = False
        self._validations = GrowingRows(folder / VALIDATION)
        self._curves = GrowingRows(folder / CURVES)
        self._windows: list[Row] = []

    def read(self) -> None:
        """Take up what is new in its folder."""
        rows = self._validations.read()
        if not rows:
            return
        # Losses are written before the validation that they led to.
        self._windows += self._curves.read()
        for row in rows:
            losses = [window for window in self._windows if window["epoch"] <= row["epoch"]]
            del self._windows[: len(losses)]
            if row["epoch"] > self.sent_epoch:
                self.epochs.append(epoch_of(self.begin, row, losses[-1] if losses else {}))


class FollowedRun:
    """What of a run a tracker has not got yet."""

    def __init__(self, path: Path, tracker: str) -> None:
        self._path = path
        self._notes = path / NOTES / f"{tracker}.jsonl"
        self._rows = GrowingRows(path / "trials.jsonl")
        self._open: dict[str, FollowedTrial] = {}
        self._sent_epochs: dict[str, int] = {}
        self._ended: set[str] = set()
        #: what the bundle was made of that the tracker has
        self.bundle: str | None = None
        notes = read_rows(self._notes)
        cut_rows(self._notes, keep=len(notes))
        for note in notes:
            if "bundle" in note:
                self.bundle = note["bundle"]
            elif note["ended"]:
                self._ended.add(note["trial_id"])
            else:
                self._sent_epochs[note["trial_id"]] = note["epoch"]

    def news(self) -> Iterator[FollowedTrial]:
        """Trials of which there is news; the caller sends it and notes that."""
        while True:
            for trial in list(self._open.values()):
                trial.read()
                if trial.epochs or trial.end or not trial.started:
                    yield trial
            rows = self._rows.read(MANY)
            if not rows:
                return
            for row in rows:
                self._take(row)

    def _take(self, row: Row) -> None:
        trial_id = row["trial_id"]
        if trial_id in self._ended:
            return
        folder = self._path / "trials" / trial_id
        if trial_id not in self._open:
            sent = self._sent_epochs.pop(trial_id, 0)
            self._open[trial_id] = FollowedTrial(trial_of(row), folder, sent_epoch=sent)
        if row["state"] != "running":
            self._open[trial_id].end = end_of(row, folder)

    def note_epoch(self, trial: FollowedTrial) -> None:
        """The tracker has got the first of the epochs that it had not."""
        trial.sent_epoch = trial.epochs.pop(0).epoch
        self._note({"trial_id": trial.begin.trial_id, "epoch": trial.sent_epoch, "ended": False})

    def note_end(self, trial: FollowedTrial) -> None:
        """The tracker has got all of a trial."""
        trial_id = trial.begin.trial_id
        self._ended.add(trial_id)
        del self._open[trial_id]
        self._note({"trial_id": trial_id, "epoch": trial.sent_epoch, "ended": True})

    def note_bundle(self, made_of: str) -> None:
        """The tracker has got the bundle."""
        self.bundle = made_of
        self._note({"bundle": made_of})

    def _note(self, row: Mapping[str, object]) -> None:
        # Not durable: what is sent once more after a power cut doubles nothing either.
        self._notes.parent.mkdir(exist_ok=True)
        with self._notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
