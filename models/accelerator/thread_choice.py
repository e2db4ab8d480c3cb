"""One thread or all of them, whichever makes a training's steps faster on the CPU at the time.

Threads of a team meet hundreds of times a step. Where a neighbour keeps one core busy, each meeting
waits until the thread there has its turn, and one thread alone is faster than all of them.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Generator
from dataclasses import replace

import torch
from torch import Tensor

from models.accelerator.captured_steps import Draw, Step
from models.training.device import Compute
from models.training.step import StepKind

#: steps that are timed with each number of threads, in turns
TIMED_STEPS = 3
#: a choice holds at least so long ...
MINIMUM_PAUSE_SEC = 5.0
#: ... and so long that slower steps, which had to be tried, cost this share of the time
MEASURING_SHARE = 0.02


def threads_are_fixed() -> bool:
    """Whether the person has set the number of threads, by the variable that OpenMP reads."""
    return bool(os.environ.get("OMP_NUM_THREADS"))


def with_adaptive_threads(compute: Compute) -> Compute:
    """`compute` whose steps take the faster of one and of all threads that Torch uses now."""
    if compute.device.type != "cpu":
        return compute
    return replace(compute, adaptive_threads=torch.get_num_threads())


class ThreadedSteps:
    """Runs steps with one or with `most` threads: measured at the start and now and then.

    Every step that is run here is a step of the training: none is repeated or lost. Sums that
    threads share are added in another order by another number of them, so the last digits of
    results depend on what was faster when.
    """

    def __init__(
        self, step: Step, *, most: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._step = step
        self._most = most
        self._clock = clock
        self._plans: dict[StepKind, Generator[int, float, None]] = {}
        self._threads: dict[StepKind, int] = {}

    def __call__(self, kind: StepKind, draw: Draw) -> Tensor:
        """Train on one batch; returns the losses, shape (7,)."""
        if kind not in self._plans:
            self._plans[kind] = self._plan()
            self._threads[kind] = next(self._plans[kind])
        torch.set_num_threads(self._threads[kind])
        started = self._clock()
        losses = self._step(kind, draw)
        self._threads[kind] = self._plans[kind].send(self._clock() - started)
        return losses

    def _plan(self) -> Generator[int, float, None]:
        """Yield the number of threads of the next step of a kind; takes the seconds of that."""
        counts = (self._most, 1)
        for count in counts:
            yield count  # the first steps also set things up
        while True:
            seconds: dict[int, list[float]] = {count: [] for count in counts}
            for _ in range(TIMED_STEPS):
                for count in counts:  # in turns, so that what comes and goes strikes both
                    seconds[count].append((yield count))
            typical = {count: statistics.median(seconds[count]) for count in counts}
            best = min(counts, key=lambda count: typical[count])
            lost = TIMED_STEPS * (sum(typical.values()) - 2 * typical[best])
            pause = max(MINIMUM_PAUSE_SEC, lost / MEASURING_SHARE)
            while pause > 0:
                pause -= yield best
