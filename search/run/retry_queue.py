"""Trials that wait for a process: theirs or the search was killed, or they share a beginning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from search.run.trial_rows import OpenTrial

#: how long a trial waits after the first, second, ... death of its process in a row, in seconds.
#: What killed it may take a while to pass: of a machine that is lost, Ray hears after some 15 s,
#: and until then goes on to hand it trials.
DELAYS_SEC = (2.0, 10.0, 30.0)


class RetryQueue:
    """A queue whose trials come out when their delay is over."""

    def __init__(
        self, interrupted: Iterable[OpenTrial], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with trials of an earlier session, which need not wait."""
        self._clock = clock
        self._queue = [(-float("inf"), trial) for trial in interrupted]

    def put(self, trial: OpenTrial) -> None:
        """Let a trial wait, the longer the more often its process died."""
        delay = DELAYS_SEC[min(trial.deaths, len(DELAYS_SEC)) - 1]
        self._queue.append((self._clock() + delay, trial))

    def hold(self, trial: OpenTrial) -> None:
        """Let a trial wait for nothing but its beginning."""
        self._queue.append((-float("inf"), trial))

    @property
    def n_held(self) -> int:
        """How many trials have no delay left."""
        return sum(moment <= self._clock() for moment, _ in self._queue)

    def take(self, may_run: Callable[[OpenTrial], bool] = lambda trial: True) -> OpenTrial | None:
        """Of the trials that may run, the one that has been ready for longest, if one is."""
        ready = [entry for entry in self._queue if entry[0] <= self._clock() and may_run(entry[1])]
        if not ready:
            return None
        first = min(ready, key=lambda entry: entry[0])
        self._queue.remove(first)
        return first[1]

    def clear(self) -> list[OpenTrial]:
        """Take all, ready or not."""
        trials = list(self)
        self._queue.clear()
        return trials

    def __iter__(self) -> Iterator[OpenTrial]:
        return iter([trial for _, trial in self._queue])

    def __len__(self) -> int:
        return len(self._queue)
