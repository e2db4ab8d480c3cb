from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from models.accelerator.noise_training import training_on_noise
from models.accelerator.thread_choice import (
    MEASURING_SHARE,
    ThreadedSteps,
    threads_are_fixed,
    with_adaptive_threads,
)
from models.training.device import resolve_compute
from models.training.settings import TrainingSettings
from models.training.step import StepKind

KIND = StepKind(adversarial=False, train_discriminator=False)
ADVERSARIAL = StepKind(adversarial=True, train_discriminator=True)
#: seconds of a step with one and with two threads, as they were measured
QUIET = {1: 0.075, 2: 0.045}
BESIDE_A_NEIGHBOUR = {1: 0.075, 2: 0.216}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Machine:
    """Steps take as long as `seconds` says for their number of threads, on a clock of its own."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.used: list[int] = []

    def step(self, kind: StepKind, draw: tuple[torch.Tensor, ...]) -> torch.Tensor:
        self.used.append(torch.get_num_threads())
        self.now += self.seconds[self.used[-1]]
        return draw[0]

    def run(self, steps: ThreadedSteps, count: int, kind: StepKind = KIND) -> list[int]:
        first = len(self.used)
        for number in range(count):
            draw = torch.tensor(number)
            assert steps(kind, (draw,)) is draw  # one step for each batch, none twice
        assert len(self.used) == first + count
        return self.used[first:]


def make(seconds: dict[int, float]) -> tuple[Machine, ThreadedSteps]:
    machine = Machine(seconds)
    return machine, ThreadedSteps(machine.step, most=2, clock=lambda: machine.now)


@pytest.mark.parametrize(("seconds", "best"), [(QUIET, 2), (BESIDE_A_NEIGHBOUR, 1)])
def test_the_faster_number_of_threads_is_taken(seconds: dict[int, float], best: int) -> None:
    machine, steps = make(seconds)
    assert set(machine.run(steps, 8)) == {1, 2}
    assert set(machine.run(steps, 40)) == {best}


def test_the_choice_follows_a_neighbour_that_comes_and_goes() -> None:
    machine, steps = make(QUIET)
    machine.run(steps, 100)
    machine.seconds = BESIDE_A_NEIGHBOUR
    machine.run(steps, 300)
    assert machine.run(steps, 40).count(1) >= 35
    machine.seconds = QUIET
    machine.run(steps, 600)
    assert machine.run(steps, 40).count(2) >= 35


@pytest.mark.parametrize("seconds", [QUIET, BESIDE_A_NEIGHBOUR, {1: 9.0, 2: 90.0}])
def test_measuring_costs_little(seconds: dict[int, float]) -> None:
    machine, steps = make(seconds)
    machine.run(steps, 10)  # the start
    started = machine.now
    machine.run(steps, 20_000)
    best = 20_000 * min(seconds.values())
    assert machine.now - started <= best / (1 - 1.1 * MEASURING_SHARE)


def test_each_kind_of_step_has_its_own_choice() -> None:
    machine, steps = make(QUIET)
    machine.run(steps, 10)
    machine.seconds = BESIDE_A_NEIGHBOUR
    machine.run(steps, 10, ADVERSARIAL)
    assert set(machine.run(steps, 5)) == {2}
    assert set(machine.run(steps, 5, ADVERSARIAL)) == {1}


def test_only_the_cpu_has_a_choice() -> None:
    compute = resolve_compute("cpu", "float32")
    assert compute.adaptive_threads == 1
    assert with_adaptive_threads(compute).adaptive_threads == 2
    elsewhere = replace(compute, device=torch.device("meta"))
    assert with_adaptive_threads(elsewhere) == elsewhere


def test_a_number_that_the_person_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_are_fixed()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert not threads_are_fixed()


def test_a_training_measures_with_its_own_steps() -> None:
    settings = TrainingSettings(
        generator_complexity=2, discriminator_complexity=2, image_size=32, batch_size=2
    )
    compute = with_adaptive_threads(resolve_compute("cpu", "float32"))
    training = training_on_noise(settings, compute, steps=12)
    rows = list(training.run_epoch())
    assert training.step == rows[-1]["step"] == 12
    plain = training_on_noise(settings, replace(compute, adaptive_threads=1), steps=12)
    for row, expected in zip(rows, plain.run_epoch(), strict=True):
        assert row["reconstruction"] == pytest.approx(expected["reconstruction"], rel=1e-3)
