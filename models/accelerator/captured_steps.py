"""Training steps as CUDA graphs, where replaying one is faster than launching its kernels.

The networks are small: hundreds of kernels a step, most of them shorter than their launch. A graph
launches all of them at once (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from models.training.device import Compute, is_device_lost, synchronize
from models.training.step import StepKind

#: what a batch is made of, as `Batches.draws` yields it
Draw = tuple[Tensor, ...]
#: trains on a batch of a draw on the device and returns the seven losses, shape (7,)
Step = Callable[[StepKind, Draw], Tensor]

#: steps of each kind before the clock runs: the first allocate, and choose algorithms
WARM_UP_STEPS = 3
#: steps of each kind that are timed, called and replayed
TIMED_STEPS = 5
#: a replayed step may end so far from a called one, as a share of what the step moved: kernels
#: that add in any order differ in the last digits, and Adam makes whole steps of tiny gradients
TOLERANCE = 0.1
#: relative difference of their losses
LOSS_TOLERANCE = 0.02


class Recorder(Protocol):
    """Makes a call repeatable; a stand-in for graphs makes this file testable without a GPU."""

    def warm_up(self, call: Callable[[], Tensor]) -> Tensor:
        """Run `call` as it will be recorded."""

    def record(self, call: Callable[[], object]) -> Callable[[], object]:
        """Return what repeats `call`, which is recorded without taking effect."""


class GraphRecorder:
    """Records CUDA graphs, on a stream of its own, whose memory they share.

    They may: they are replayed one after another, and none reads what another left there.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool: Any = None

    def warm_up(self, call: Callable[[], Tensor]) -> Tensor:
        """Run `call` on the recording's stream, in its turn."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = call()
        current.wait_stream(self._stream)
        return result

    def record(self, call: Callable[[], object]) -> Callable[[], object]:
        """Capture `call`; nothing of it runs before the graph is replayed."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            call()
        self._pool = graph.pool()
        replay: Callable[[], object] = graph.replay  # holds the graph
        return replay


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """What was measured at the start of a trial for one kind of step, medians."""

    called_sec: float
    replayed_sec: float

    @property
    def replay(self) -> bool:
        """Whether to go on with replays."""
        return self.replayed_sec < self.called_sec


class CapturedSteps:
    """Runs steps so as to be fast: called at first, then recorded, checked, timed and replayed.

    Every step that is run here is a step of the training: none is repeated or lost. Where a step
    cannot be recorded, ends elsewhere than a called one or is not faster, it is called, as it is
    on other devices; the first two are warned of.

    Args:
        step: what to run; between two steps of a kind only tensors may differ.
        state: gives all tensors that a step changes, and they stay the same ones.
        compute: the device.
        recorder: how to record.
    """

    def __init__(
        self,
        step: Step,
        *,
        state: Callable[[], list[Tensor]],
        compute: Compute,
        recorder: Recorder,
    ) -> None:
        self._step = step
        self._state = state
        self._compute = compute
        self._recorder = recorder
        self._runs: dict[StepKind, Iterator[Callable[[Draw], Tensor]]] = {}
        #: of each kind of step that has come so far
        self.times: dict[StepKind, StepTimes] = {}

    def __call__(self, kind: StepKind, draw: Draw) -> Tensor:
        """Train on one batch; returns the losses, shape (7,), on the device."""
        draw = tuple(self._compute.move(tensor) for tensor in draw)
        if kind not in self._runs:
            self._runs[kind] = self._course(kind)
        return next(self._runs[kind])(draw)

    def _course(self, kind: StepKind) -> Iterator[Callable[[Draw], Tensor]]:
        """Yield, for step after step of a kind, how to run it."""

        def call(draw: Draw) -> Tensor:
            return self._step(kind, draw)

        def prepare(draw: Draw) -> Tensor:
            return self._recorder.warm_up(lambda: call(draw))

        for _ in range(WARM_UP_STEPS):
            yield prepare
        called: list[float] = []
        for _ in range(TIMED_STEPS):
            yield self._timed(prepare, called)
        recording = _Recording(call, self._state, self._compute.device, self._recorder)
        yield recording.make
        if recording.problem is None:
            replayed: list[float] = []
            for _ in range(TIMED_STEPS):
                yield self._timed(recording.replay, replayed)
            times = StepTimes(
                called_sec=statistics.median(called), replayed_sec=statistics.median(replayed)
            )
            self.times[kind] = times
            while times.replay:
                yield recording.replay
        else:
            warnings.warn(f"steps are called one by one: {recording.problem}", stacklevel=2)
        del recording  # and with it the memory of its graph
        while True:
            yield call

    def _timed(self, run: Callable[[Draw], Tensor], seconds: list[float]) -> Callable[..., Tensor]:
        def timed(draw: Draw) -> Tensor:
            synchronize(self._compute.device)
            started = time.perf_counter()
            losses = run(draw)
            synchronize(self._compute.device)
            seconds.append(time.perf_counter() - started)
            return losses

        return timed


class _Recording:
    """One recorded step: buffers that it reads and writes, and what repeats it."""

    def __init__(
        self,
        call: Callable[[Draw], Tensor],
        state: Callable[[], list[Tensor]],
        device: torch.device,
        recorder: Recorder,
    ) -> None:
        self._call = call
        self._state = state
        self._device = device
        self._recorder = recorder
        self._draw: Draw = ()
        self._losses: Tensor | None = None
        self._repeat: Callable[[], object] | None = None
        #: why it must not be replayed
        self.problem: str | None = None

    def make(self, draw: Draw) -> Tensor:
        """Take a step by calling, record it, repeat it from where the first began, compare."""
        before, random = [tensor.clone() for tensor in self._state()], _random_state(self._device)
        losses = self._recorder.warm_up(lambda: self._call(draw))
        after = [tensor.clone() for tensor in self._state()]
        random_after = _random_state(self._device)
        try:
            self._record(draw, losses)
            self._restore(before)
            _set_random_state(self._device, random)
            self._compare(self.replay(draw), losses, before, after)
        except RuntimeError as error:
            if is_device_lost(error):
                raise
            self.problem = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if self.problem is not None:
            self._repeat = None
            self._restore(after)
            _set_random_state(self._device, random_after)
        return losses

    def replay(self, draw: Draw) -> Tensor:
        """Take a step on another draw by repeating the recorded one."""
        assert self._repeat is not None
        assert self._losses is not None
        for buffer, tensor in zip(self._draw, draw, strict=True):
            buffer.copy_(tensor)
        self._repeat()
        # The next replay overwrites them.
        return self._losses.clone()

    def _record(self, draw: Draw, losses: Tensor) -> None:
        self._draw = tuple(tensor.clone() for tensor in draw)
        written = self._losses = torch.empty_like(losses)
        self._repeat = self._recorder.record(lambda: written.copy_(self._call(self._draw)))

    def _restore(self, state: list[Tensor]) -> None:
        for tensor, earlier in zip(self._state(), state, strict=True):
            tensor.copy_(earlier)

    def _compare(
        self, replayed: Tensor, called: Tensor, before: list[Tensor], after: list[Tensor]
    ) -> None:
        if not torch.allclose(replayed, called, rtol=LOSS_TOLERANCE, atol=1e-4, equal_nan=True):
            self.problem = f"a replayed step had the losses {replayed.tolist()}, not "
            self.problem += f"{called.tolist()}"
            return
        moved = _distance(after, before)
        if (off := _distance(self._state(), after)) > TOLERANCE * moved:
            self.problem = f"a replayed step ended {off:.2g} from where a called one moved "
            self.problem += f"{moved:.2g}"


def _distance(ones: list[Tensor], others: list[Tensor]) -> float:
    """Length of the difference of all weights and moments; NaN where they are not finite."""
    norms = [
        torch.linalg.vector_norm(one.detach().float() - other.float())
        for one, other in zip(ones, others, strict=True)
    ]
    return float(torch.stack(norms).norm()) if norms else 0.0


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
