"""Recorded steps, with a stand-in for CUDA graphs that repeats a call by calling."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.accelerator import captured_steps
from models.accelerator.captured_steps import StepTimes
from models.training.loop import Training
from models.training.step import StepKind
from tests.models.toys import ToyBatches, cpu, differences, tiny_settings, toy_batch

#: steps of each kind, here
WARM_UP, TIMED = 1, 1
#: as many steps of each kind as it takes to come to replays
STEPS = 2 * (WARM_UP + TIMED + 1 + TIMED + 2)
SCHEDULES = {
    "pretrain_epochs": 1,
    "discriminator_every": 2,
    "lr_decay": 0.5,
    "lr_decay_every_epochs": 1,
    "adversarial_factor": 0.4,
}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured_steps, "WARM_UP_STEPS", WARM_UP)
    monkeypatch.setattr(captured_steps, "TIMED_STEPS", TIMED)


class CallRecorder:
    """Repeats a call by calling it."""

    def __init__(self, *_: Any) -> None:
        self.replays = 0

    def warm_up(self, call: Callable[[], Tensor]) -> Tensor:
        return call()

    def record(self, call: Callable[[], object]) -> Callable[[], object]:
        def replay() -> None:
            self.replays += 1
            call()

        return replay


def train(
    recorder: CallRecorder | None, monkeypatch: pytest.MonkeyPatch, *, epochs: int = 2
) -> tuple[Training, list[dict[str, Any]]]:
    """Train in the plain way, or in that of a device that records."""
    compute = replace(cpu(), captures=recorder is not None)
    monkeypatch.setattr("models.training.loop.GraphRecorder", lambda device: recorder)
    settings = tiny_settings(**SCHEDULES)
    training = Training(settings, ToyBatches(settings, steps=STEPS), compute)
    return training, [row for _ in range(epochs) for row in training.run_epoch()]


def assert_same(training: Training, expected: Training) -> None:
    """All bits, but for the average: it moves by a tensor, in another order of rounding."""
    states = [training.state_dict(), expected.state_dict()]
    averages = [state.pop("average") for state in states]
    assert differences(*states) == []
    for name, tensor in averages[0].items():
        torch.testing.assert_close(tensor, averages[1][name])


@pytest.mark.parametrize("faster", [True, False])
def test_recorded_steps_train_as_called_ones(faster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, rows = train(None, monkeypatch)
    monkeypatch.setattr(StepTimes, "replay", faster)
    recorder = CallRecorder()
    training, recorded_rows = train(recorder, monkeypatch)
    # Pre-training, hold-out, decay and the ramp of the average: each step is taken once.
    assert differences(recorded_rows, rows) == []
    assert_same(training, expected)
    assert set(training.steps.times) == {  # type: ignore[union-attr]
        StepKind(False, False),
        StepKind(True, False),
        StepKind(True, True),
    }
    at_the_start = 3 * (1 + TIMED)
    assert recorder.replays > at_the_start if faster else recorder.replays == at_the_start


def test_a_training_resumed_between_replays_is_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(StepTimes, "replay", True)
    expected, rows = train(None, monkeypatch, epochs=3)
    half, _ = train(CallRecorder(), monkeypatch, epochs=2)
    resumed, _ = train(CallRecorder(), monkeypatch, epochs=1)
    state = half.state_dict()
    resumed.load_state_dict(state)
    assert differences(list(resumed.run_epoch()), rows[-len(rows) // 3 :]) == []
    assert_same(resumed, expected)


class FailingRecorder(CallRecorder):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def record(self, call: Callable[[], object]) -> Callable[[], object]:
        raise self._error


class WrongRecorder(CallRecorder):
    """As a graph that would miss a part of the step, or do it twice."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def record(self, call: Callable[[], object]) -> Callable[[], object]:
        return lambda: [call() for _ in range(self._times)]


@pytest.mark.parametrize(
    "recorder",
    [
        FailingRecorder(RuntimeError("operation not permitted when stream is capturing")),
        FailingRecorder(torch.OutOfMemoryError("CUDA out of memory")),
        WrongRecorder(0),
        WrongRecorder(2),
    ],
)
def test_what_cannot_be_recorded_rightly_is_called(
    recorder: CallRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, rows = train(None, monkeypatch)
    with pytest.warns(UserWarning, match="steps are called one by one: "):
        training, recorded_rows = train(recorder, monkeypatch)
    assert differences(recorded_rows, rows) == []
    assert_same(training, expected)


def test_a_device_that_is_lost_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(torch.AcceleratorError):
        train(FailingRecorder(lost), monkeypatch)


class Log(TorchDispatchMode):
    """What is issued: operations with their plain arguments, and the shapes of their tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        def plain(value: Any) -> str:
            if isinstance(value, Tensor):
                return f"{value.dtype}{tuple(value.shape)}{value.stride()}"
            if isinstance(value, list | tuple):
                return f"[{', '.join(plain(item) for item in value)}]"
            return repr(value)

        if func.namespace == "profiler":  # marks, whose handles differ
            return func(*args, **(kwargs or {}))
        named = {name: plain(value) for name, value in (kwargs or {}).items()}
        self.lines.append(f"{func} {plain(args)} {named}")
        return func(*args, **(kwargs or {}))


def logs(training: Training, kind: StepKind) -> list[list[str]]:
    """What two consecutive steps of a kind issue."""
    found = []
    for draw in itertools.islice(training.batches.draws(0), 4):
        training.step += 1
        assert training.average
        training.average.schedule(batch_size=4, images_seen=training.images)
        with Log() as log:
            training._train_on(kind, draw)
        found.append(log.lines)
    return found[2:]  # the first makes the optimizers' states


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize(
    "kind", [StepKind(False, False), StepKind(True, False), StepKind(True, True)]
)
def test_two_steps_issue_the_same_operations_with_the_same_numbers(
    kind: StepKind, smooth: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.loop.GraphRecorder", CallRecorder)
    settings = tiny_settings(smooth_upsampling=smooth)
    compute = replace(cpu(), captures=True)
    one, other = logs(Training(settings, ToyBatches(settings, steps=4), compute), kind)
    assert len(one) > 100
    assert one == other
    # Nothing that a graph cannot hold: numbers read by the host, tensors made of the host's.
    assert not [line for line in one if "_local_scalar_dense" in line or "lift_fresh" in line]


def test_the_log_tells_steps_apart_that_differ_in_a_number() -> None:
    settings = tiny_settings()
    one, other = logs(
        Training(settings, ToyBatches(settings, steps=4), cpu()), StepKind(True, True)
    )
    assert [line for line, second in zip(one, other, strict=True) if line != second]
    assert all("lerp" in a for a, b in zip(one, other, strict=True) if a != b)


def test_a_step_kind_that_never_comes_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = CallRecorder()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(recorder, monkeypatch, epochs=0)
    assert recorder.replays == 0


def test_steps_stay_on_a_cuda_device_that_is_not_there() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.accelerator.fake_cuda_step"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6


def test_measuring_the_discriminator_between_epochs_leaves_replays_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = CallRecorder()
    measured, _ = train(recorder, monkeypatch, epochs=2)
    assert recorder.replays
    held_out = measured.held_out_discrimination()
    assert held_out is not None
    L_N1HW, ab_N2HW = toy_batch(8, 32, seed=0)
    held_out.update(L_N1HW, ab_N2HW, -ab_N2HW)
    assert held_out.auc() is not None
    rows = list(measured.run_epoch())
    plain, others = train(CallRecorder(), monkeypatch, epochs=3)
    assert differences(measured.state_dict(), plain.state_dict()) == []
    assert differences(rows, others[-len(rows) :]) == []
