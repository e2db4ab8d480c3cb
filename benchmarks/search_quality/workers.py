"""Asynchronous workers by the clock of the table: a discrete-event simulation."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.search_quality.table_searchers import Searcher
from benchmarks.search_quality.tables import Table, Training


@dataclass
class History:
    """A search by the clock: when each training ended, and how good its best was by then."""

    #: seconds since the start, in order
    ends: list[float] = field(default_factory=list)
    #: mean recorded result of the configuration that looked best so far
    best: list[float] = field(default_factory=list)
    _seen: float = math.inf

    def add(self, end: float, seen: float, training: Training) -> None:
        better = seen < self._seen
        self._seen = min(seen, self._seen)
        self.ends.append(end)
        self.best.append(training.result if better else self.best[-1])

    def best_at(self, seconds: float) -> float:
        """Best of the trainings that had ended by then; the first one's, if none had."""
        n = sum(end <= seconds for end in self.ends)
        return self.best[max(n - 1, 0)]

    def first(self, result: float) -> int | None:
        """Index of the first training after which the best is at least so good."""
        return next((i for i, best in enumerate(self.best) if best <= result), None)


def simulate(
    searcher: Searcher,
    table: Table,
    *,
    workers: int,
    trainings: int,
    seconds: float = 0.0,
    one_seed: np.random.Generator | None = None,
) -> History:
    """Let `workers` train until so many trainings ended and so many seconds passed.

    Args:
        searcher: asked whenever a worker is free.
        table: says what a training results in and how long it takes.
        workers: trainings at the same time.
        trainings: at least so many end.
        seconds: and the clock shows at least so much.
        one_seed: draws one of the recorded seeds for the searcher to see; None shows it the mean.
    """
    history = History()
    running: list[tuple[float, int, Any, Training]] = []
    clock, started = 0.0, 0
    while len(history.ends) < trainings or clock < seconds:
        while len(running) < workers:
            asked, params = searcher.ask()
            training = table.training(params)
            heapq.heappush(running, (clock + training.seconds, started, asked, training))
            started += 1
        clock, _, asked, training = heapq.heappop(running)
        seen = training.result if one_seed is None else float(one_seed.choice(training.results))
        searcher.tell(asked, seen)
        history.add(clock, seen, training)
    return history
