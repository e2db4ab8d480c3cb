"""What people want of a running search, as its ledger sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from optuna.study import Study
from optuna.trial import Trial, TrialState

from search.steering.requests import AskPoint, RequestFolder, StopSearch, StopTrial
from search.study.asking import ASKED

#: between two looks into the folder, which Tune's loop would otherwise take ten times a second
LOOK_EVERY_SEC = 0.5
#: why trials end that a person has stopped
AS_ASKED = "as asked by chromatune stop"
#: a trial's user attribute in the study: the name of the request for it
REQUEST = "request"


class Wishes:
    """Requests that are still to be done."""

    def __init__(
        self, run: Path, study: Study, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read what was asked for since the last session; an old wish to stop is none any more."""
        self._folder = RequestFolder(run)
        self._study = study
        self._clock = clock
        self._looked = clock()
        self._stop = False
        self._points_wait = False
        self._stop_trials: dict[str, StopTrial] = {}
        #: configurations to ask, the next one first
        self.points: list[AskPoint] = []
        trials = study.get_trials(deepcopy=False, states=ASKED)
        asked = {trial.user_attrs.get(REQUEST) for trial in trials}
        #: how many trials people have asked for so far
        self.n_asked = sum(REQUEST in trial.user_attrs for trial in trials)
        self._folder.remove(StopSearch())
        for request in self._folder.read():
            if request.name in asked:
                self._folder.remove(request)  # the driver was killed before it could
        self._read()

    def look(self) -> bool:
        """Read new requests, if the last look was a while ago; whether the search shall end."""
        if self._clock() - self._looked < LOOK_EVERY_SEC:
            return False
        self._looked = self._clock()
        self._read()
        stop, self._stop = self._stop, False
        return stop

    def shall_stop(self, trial_id: str) -> bool:
        """Whether a trial shall end after its epoch."""
        return trial_id in self._stop_trials

    def enqueue_next(self) -> bool:
        """Let the study ask the first of the points next; False when there is none."""
        if not self.points:
            return False
        point = self.points[0]
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        # A driver that was killed at this moment may have enqueued it.
        if all(trial.user_attrs.get(REQUEST) != point.name for trial in waiting):
            self._study.enqueue_trial(dict(point.parameters), user_attrs={REQUEST: point.name})
        return True

    def started(self, trial: Trial) -> None:
        """A trial was asked: if it is one that was wished for, that is done."""
        name = trial.user_attrs.get(REQUEST)
        if name is not None:
            self.n_asked += 1
            self._folder.remove(AskPoint({}, name))
            self.points = [point for point in self.points if point.name != name]

    def ended(self, trial_id: str) -> None:
        """A trial has ended, and needs no stop any more."""
        if request := self._stop_trials.pop(trial_id, None):
            self._folder.remove(request)

    def keep_for_later(self) -> None:
        """The search ends: points wait in the folder until it is resumed."""
        self.points = []
        self._points_wait = True

    def _read(self) -> None:
        known = {point.name for point in self.points}
        for request in self._folder.read():
            match request:
                case StopSearch():
                    self._stop = True
                    self._folder.remove(request)
                case StopTrial(trial_id):
                    self._stop_trials[trial_id] = request
                case AskPoint(name=name) if name not in known and not self._points_wait:
                    self.points.append(request)
