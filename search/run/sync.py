"""Copies a run's folder to a results place while the search runs.

A thread looks every few seconds which files have changed. So whatever writes into the folder needs
to know nothing of it, and a slow or absent place never holds up a trial.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from models.file_names import CURVES, ERROR, OF_TRAINING, PARAMETERS, TEST, VALIDATION
from search.run.remote_storage import RemoteStorage, RemoteStorageError

#: of a trial first what comes first in the run's folder, too
TRIAL_FILES = (PARAMETERS, *OF_TRAINING, ERROR, TEST, CURVES, VALIDATION)
#: after the files of trials, which the rows speak of
RUN_FILES = ("config.json", "data.json", "study.journal", "trials.jsonl", "run.json")

INTERVAL_SEC = 2.0
#: looking takes this share of a thread's time at most, however many trials there are
LOOKING_SHARE = 0.05
#: tries of a file in a row before a person is told, and pauses between them
TRIES = 4
PAUSE_SEC = 1.0
#: how long the end of a search waits for the last files
LAST_SEC = 120.0


class RunSync:
    """A context in which a folder is copied to a place; at its end all files are there."""

    def __init__(self, folder: Path, place: RemoteStorage, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._place = place
        self._say = say
        self._sent: dict[str, tuple[int, int]] = {}
        self._over = threading.Event()
        self._warned = False
        # A place that hangs must not keep the command from ending.
        self._thread = threading.Thread(target=self._work, daemon=True, name="mirror")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(LAST_SEC)
        if self._thread.is_alive():
            self._warn("it does not answer")

    def _work(self) -> None:
        self._skip_what_is_there()
        over = False
        while not over:
            over = self._over.is_set()  # the files as they are now are the last ones
            started = time.monotonic()
            changed = list(self._changed())
            took = time.monotonic() - started
            if self._send(changed):
                self._warned = False
            self._over.wait(max(INTERVAL_SEC, took / LOOKING_SHARE))

    def _skip_what_is_there(self) -> None:
        """After a resume: large files that are there and younger than ours need not go again."""
        with contextlib.suppress(RemoteStorageError):
            for name, theirs in self._place.stamps().items():
                ours = self._stamp(name)
                if name.endswith((".pt", ".png")) and ours and theirs[0] > ours[0]:
                    self._sent[name] = (ours[0], theirs[1])

    def _changed(self) -> Iterator[str]:
        """Names of files that are not there yet as they are now."""
        try:
            ids = sorted(path.name for path in (self._folder / "trials").iterdir())
        except OSError:
            ids = []
        names = [f"trials/{trial_id}/{name}" for trial_id in ids for name in TRIAL_FILES]
        for name in [*names, *RUN_FILES]:
            stamp = self._stamp(name)
            if stamp is not None and self._sent.get(name) != stamp:
                yield name

    def _send(self, names: list[str]) -> bool:
        """Send files, one after the other; whether all arrived."""
        for name in names:
            stamp = self._stamp(name)
            try:
                content = (self._folder / name).read_bytes()
                self._write(name, content)
            except RemoteStorageError as error:
                self._warn(str(error))
                return False
            except OSError:
                continue  # the search itself halts when its folder cannot be read
            if stamp is not None:
                self._sent[name] = stamp
        return True

    def _write(self, name: str, content: bytes) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                return self._place.write(name, content)
            except RemoteStorageError:
                # Once it is known to be down, one try is enough until it answers again.
                if attempt == TRIES or self._warned:
                    raise
                time.sleep(PAUSE_SEC * attempt)
        return None

    def _stamp(self, name: str) -> tuple[int, int] | None:
        try:
            status = (self._folder / name).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            self._say(
                f"chromatune: results do not reach {self._place.location} ({why}); "
                f"{self._folder} has them all, and what is missing there is sent later or with "
                "--resume"
            )
