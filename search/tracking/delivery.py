"""Brings what is new in a run's folder to trackers, each by a thread of its own.

So a tracker that is slow, away or broken neither stops nor slows a search: what it has not got is
in the run's folder, and is sent when it answers again or when the search is resumed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from search.tracking.followed_run import NOTES, FollowedRun, FollowedTrial
from search.tracking.from_rows import search_of
from search.tracking.tracker import Tracker

#: pause between two looks, and the longest one before a tracker that is away is tried again
INTERVAL_SEC, LONGEST_SEC = 2.0, 60.0
#: how long the end of a search waits for the last of it, the bundle included
LAST_SEC = 180.0
#: the same, where the tracker was away when it was tried last
AWAY_SEC = 5.0
#: unless a person sets something else: an absent server shall be known for absent in seconds
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # What they print would stand among what a search says.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "WANDB_SILENT": "true",
}


class Tracking:
    """A context in which trackers follow a run; at its end they have all of it, if they answer.

    A search that has come to its end, so that the context is left without an exception, also gets
    its best generator as a bundle.
    """

    def __init__(self, names: Sequence[str], run: Path, say: Callable[[str], None]) -> None:
        self._bundle = BundleOnce(run)
        self._deliveries = [Delivery(name, run, say, self._bundle) for name in names]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(_environment(_ENVIRONMENT))
        self._stack.enter_context(self._bundle)
        for delivery in self._deliveries:
            delivery.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        deadline = time.monotonic() + LAST_SEC
        with self._stack:
            for delivery in self._deliveries:
                delivery.finish(whole=error is None)
            for delivery in self._deliveries:
                delivery.join(deadline - time.monotonic())


class BundleOnce:
    """The best generator of a run, exported when it is first asked for."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._made: tuple[str, Path] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="chromatune-", ignore_cleanup_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def best(self) -> str:
        """What the bundle would be made of: the trial with the best colours and its epochs."""
        from analysis.stored_run.run import open_run
        from search.finetune.trial_choice import chosen_trial

        chosen = chosen_trial(open_run(self._run), None, by="colour", command="export")
        return f"{chosen.trial_id} {chosen.epochs}"

    def folder(self) -> Path:
        """The bundle's folder."""
        from search.finetune.export import export_trial

        with self._lock:
            if self._made is None:
                folder = Path(self._folder.name) / "bundle"
                export_trial(self._run, folder)
                self._made = (self.best(), folder)
            return self._made[1]


class Delivery:
    """The thread that keeps one tracker up to date."""

    def __init__(
        self, name: str, run: Path, say: Callable[[str], None], bundle: BundleOnce
    ) -> None:
        self._name = name
        self._run = run
        self._say = say
        self._bundle = bundle
        self._tracker: Tracker | None = None
        self._over = threading.Event()
        self._whole = False
        self._warned = False
        # A tracker that hangs must not keep the command from ending.
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"to {name}")

    def start(self) -> None:
        """Begin to follow the run."""
        self._thread.start()

    def finish(self, *, whole: bool) -> None:
        """The run's folder is as it will be; `whole`: the search has come to its end."""
        self._whole = whole
        self._over.set()

    def join(self, seconds: float) -> None:
        """Wait until all is delivered, but not longer than so many seconds."""
        self._thread.join(min(AWAY_SEC, seconds) if self._warned else max(0.0, seconds))
        if self._thread.is_alive():
            self._warn("it does not answer")

    def _work(self) -> None:
        pause = INTERVAL_SEC
        over = False
        while not over:
            over = self._over.is_set()  # the files as they are now are the last ones
            try:
                self._deliver()
                if over:
                    self._deliver_end()
                self._warned, pause = False, INTERVAL_SEC
            # Whatever a package of others raises is no reason for a search to end.
            except Exception as error:
                self._warn(_in_a_line(error))
                pause = min(2 * pause, LONGEST_SEC)
            self._over.wait(pause)

    def _deliver(self) -> None:
        if self._tracker is None:
            (self._run / NOTES).mkdir(exist_ok=True)
            self._followed = FollowedRun(self._run, self._name)
            tracker = _make_tracker(self._name)
            tracker.connect(search_of(self._run))
            self._tracker = tracker
        for trial in self._followed.news():
            self._send(self._tracker, trial)

    def _send(self, tracker: Tracker, trial: FollowedTrial) -> None:
        trial_id = trial.begin.trial_id
        if not trial.started:
            tracker.start(trial.begin)
            trial.started = True
        while trial.epochs:
            tracker.epoch(trial_id, trial.epochs[0])
            self._followed.note_epoch(trial)
        if trial.end is not None:
            tracker.end(trial_id, trial.end)
            self._followed.note_end(trial)

    def _deliver_end(self) -> None:
        assert self._tracker is not None
        try:
            if self._whole and self._followed.bundle != (best := self._bundle.best()):
                self._tracker.bundle(self._bundle.folder())
                self._followed.note_bundle(best)
        finally:
            self._tracker.close(finished=self._whole)

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            self._say(
                f"chromatune: {self._name} does not get all results ({why}); {self._run} has them, "
                "and what is missing there is sent later or with --resume"
            )


def _make_tracker(name: str) -> Tracker:
    # Importing a package takes seconds.
    if name == "mlflow":
        from search.tracking.mlflow_tracker import MlflowTracker

        return MlflowTracker()
    from search.tracking.wandb_tracker import WandbTracker

    return WandbTracker()


def _in_a_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


@contextlib.contextmanager
def _environment(defaults: Mapping[str, str]) -> Iterator[None]:
    """Variables for the time of the block, where there are none of these names."""
    new = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
