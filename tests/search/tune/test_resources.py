"""How machines are shared out among trials."""

from __future__ import annotations

from typing import Any

import pytest

from data_pipeline.errors import InputError
from models.accelerator.memory import estimate_memory
from models.accelerator.packing import PackingRate
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.tune.resources import Slots, plan_slots

GB = 10**9


def _plan(*, cpus: float = 16.0, gpus: float = 1.0, trials: int = 40, **changes: Any) -> Slots:
    memory = changes.pop("gpu_memory", 24 * GB)
    gpu = {name: changes.pop(name) for name in ("n_photos", "measure") if name in changes}
    config = SearchConfig.from_dict({"name": "a", **changes})
    return plan_slots(
        config, cpus=cpus, gpus=gpus, largest=cpus, trials=trials, gpu_memory=memory, **gpu
    )


def test_one_trial_a_core_without_a_gpu() -> None:
    slots = _plan(cpus=4.0, gpus=0.0)
    assert (slots.concurrency, slots.cpus_per_trial, slots.threads) == (4, 1.0, 1)
    slots = _plan(cpus=4.0, gpus=0.0, concurrency=1)
    assert (slots.concurrency, slots.threads) == (1, 4)


def test_one_trial_a_gpu_unless_asked() -> None:
    slots = _plan(gpus=2.0)
    assert (slots.concurrency, slots.gpus_per_trial, slots.note) == (2, 1.0, None)
    slots = _plan(gpus=2.0, trials_per_gpu=3)
    assert (slots.concurrency, slots.note) == (6, None)
    assert slots.gpus_per_trial == pytest.approx(1 / 3)


def test_auto_packs_what_memory_cores_and_reason_allow() -> None:
    small = {"generator_complexity": 8, "discriminator_complexity": 2}
    assert _plan(trials_per_gpu="auto", image_size=64, space=small).concurrency == 8
    assert _plan(trials_per_gpu="auto", image_size=64, space=small, cpus=3.0).concurrency == 3
    wide = {"generator_complexity": 72, "discriminator_complexity": 14}
    slots = _plan(trials_per_gpu="auto", image_size=256, space=wide)
    assert 1 <= slots.concurrency < 8
    assert "GB" in (slots.note or "")
    unknown = _plan(trials_per_gpu="auto", gpu_memory=None)
    assert unknown.concurrency == 1
    assert "not known" in (unknown.note or "")


def test_more_trials_than_memory_allows_are_lowered_and_said() -> None:
    slots = _plan(trials_per_gpu=16, image_size=256, gpu_memory=8 * GB)
    assert slots.concurrency < 16
    assert "instead of 16" in (slots.note or "")
    # The widest corner of the space decides.
    assert slots.concurrency == max(1, 8 * GB // estimate_memory(_corner(48, 16), n_photos=0).total)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="--device auto"):
        _plan(gpus=0.0, device="cuda")


def _corner(generator: int, discriminator: int, batch_size: int = 16) -> TrainingSettings:
    return TrainingSettings(
        generator_complexity=generator,
        discriminator_complexity=discriminator,
        image_size=256,
        batch_size=batch_size,
    )


class Measured:
    """Stands in for trainings that share a GPU."""

    def __init__(self, **images_per_sec: float) -> None:
        self.most = 0
        self.rates = images_per_sec

    def __call__(self, settings: TrainingSettings, *, most: int) -> list[PackingRate]:
        self.most = most
        return [
            PackingRate(trainings=int(name[1:]), images_per_sec=rate)
            for name, rate in self.rates.items()
        ]


def test_auto_takes_what_was_measured_best_within_memory_and_cores() -> None:
    measure = Measured(_1=900.0, _2=1700.0, _4=2600.0)
    slots = _plan(trials_per_gpu="auto", image_size=64, measure=measure, cpus=6.0)
    assert (measure.most, slots.concurrency, slots.gpus_per_trial) == (6, 4, 0.25)
    assert "1: 900, 2: 1700, 4: 2600" in (slots.note or "")


def test_auto_falls_back_on_the_rule_where_nothing_could_be_measured() -> None:
    ruled = _plan(trials_per_gpu="auto", image_size=64)
    assert _plan(trials_per_gpu="auto", image_size=64, measure=Measured()) == ruled


def test_a_number_that_was_asked_for_is_not_measured() -> None:
    measure = Measured(_1=1.0)
    assert _plan(trials_per_gpu=3, measure=measure).concurrency == 3
    assert measure.most == 0


def test_photos_on_the_gpu_take_their_room() -> None:
    few, many = (
        _plan(trials_per_gpu=8, image_size=64, n_photos=n).concurrency for n in (1000, 300_000)
    )
    assert many < few
