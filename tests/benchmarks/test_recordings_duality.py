"""The duality gap on the CPU: each network alone wins, the training stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.recordings.duality import duality_gap
from data_pipeline.batches import TrainingBatches
from data_pipeline.cache.build import build_cache
from data_pipeline.sources.by_name import open_source
from models.training.device import resolve_compute
from models.training.loop import Training
from models.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    generator_complexity=6,
    discriminator_complexity=6,
    generator_lr=2e-3,
    discriminator_lr=2e-3,
    adversarial_factor=0.9,
    dropout=0.1,
    image_size=32,
    batch_size=8,
    precision="float32",
)


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Training:
    cache = build_cache(
        open_source("synthetic:96"), image_size=32, cache_dir=tmp_path_factory.mktemp("cache")
    )
    batches = TrainingBatches(cache, np.arange(80), batch_size=8, seed=0, flip=True)
    made = Training(SETTINGS, batches, resolve_compute("cpu", "float32"))
    for _ in made.run_epoch():
        pass
    return made


@pytest.fixture(scope="module")
def photos(training):
    (draw, *_) = training.batches.draws(50)
    batch = training.batches.decode(*draw)
    return {"one": batch, "other": tuple(part.flip(3) for part in batch)}


def test_the_gap_is_what_each_network_wins_alone(training, photos):
    for found in duality_gap(training, photos).values():
        # A discriminator that trains alone makes it worse for the generator, and the other way.
        assert found.discriminator_trained > found.before > found.generator_trained
        assert found.gap == found.discriminator_trained - found.generator_trained


def test_no_steps_no_gap_and_more_steps_more_of_it(training, photos):
    gaps = [duality_gap(training, photos, steps=steps)["one"].gap for steps in (0, 2, 10)]
    assert gaps[0] == 0.0
    assert gaps[0] < gaps[1] < gaps[2]


def test_the_training_goes_on_as_if_nothing_had_been_measured(training, photos):
    random = torch.random.get_rng_state()
    networks = (training.pair.generator, training.pair.discriminator)
    weights = [value.clone() for network in networks for value in network.state_dict().values()]
    moments = _moments(training)
    first, second = duality_gap(training, photos), duality_gap(training, photos)
    assert first == second
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(network.training for network in networks)
    after = [value for network in networks for value in network.state_dict().values()]
    assert all(map(torch.equal, after, weights))
    assert all(map(torch.equal, _moments(training), moments))
    for optimizer in (training.pair.generator_optimizer, training.pair.discriminator_optimizer):
        assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(2e-3)


def _moments(training: Training) -> list[torch.Tensor]:
    pair = training.pair
    return [
        value.clone()
        for optimizer in (pair.generator_optimizer, pair.discriminator_optimizer)
        for state in optimizer.state.values()
        for value in state.values()
    ]
