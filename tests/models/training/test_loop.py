"""The loop: schedules, determinism, resuming, learning, failing."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.metrics.validation import validate
from models.training.checkpoint import load_checkpoint, save_checkpoint
from models.training.device import Compute
from models.training.loop import Training
from models.training.loss_window import NonFiniteLossError
from models.training.settings import TrainingSettings
from tests.models.toys import (
    ToyBatches,
    cpu,
    differences,
    needs_bfloat16,
    tiny_settings,
    toy_batch,
)

Rows = list[dict[str, Any]]


def new_training(
    settings: TrainingSettings, *, steps: int = 3, compute: Compute | None = None
) -> Training:
    return Training(settings, ToyBatches(settings, steps=steps), compute or cpu())


def run(training: Training, epochs: int) -> Rows:
    return [row for _ in range(epochs) for row in training.run_epoch()]


PRECISIONS = [torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16)]


def test_rows_hold_what_the_run_folders_contract_says() -> None:
    training = new_training(tiny_settings(window_steps=2), steps=5)
    rows = run(training, 2)
    losses = ["reconstruction", "adversarial", "total"]
    judged = ["discriminator_real", "discriminator_fake", "discriminator"]
    keys = ["step", "epoch", "images", "seconds", *losses, *judged]
    keys += ["probability_real", "probability_fake", *(f"{n}_ema" for n in (*losses, *judged))]
    assert [list(row) for row in rows] == [keys] * 6
    # Windows end with their epoch, also short ones.
    assert [row["step"] for row in rows] == [2, 4, 5, 7, 9, 10]
    assert [row["epoch"] for row in rows] == [0.4, 0.8, 1.0, 1.4, 1.8, 2.0]
    assert [row["images"] for row in rows] == [8, 16, 20, 28, 36, 40]
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)
    assert (training.epoch, training.step, training.images) == (2, 10, 40)
    for row in rows:
        assert all(math.isfinite(value) for value in row.values())
        assert 0 < row["probability_real"] < 1
        total = 0.9 * row["reconstruction"] + 0.1 * row["adversarial"]
        assert row["total"] == pytest.approx(total, rel=1e-5)


def test_hold_out_trains_the_discriminator_at_every_third_step_only() -> None:
    training = new_training(tiny_settings(discriminator_every=3, window_steps=1), steps=4)
    changed, counted = [], []
    before = weights_of(training)
    for row in itertools.chain(training.run_epoch(), training.run_epoch()):
        after = weights_of(training)
        changed.append(differences(before, after) != [])
        counted.append(row["discriminator"] is not None)
        assert row["adversarial"] is not None
        before = after
    # Steps count on over the epochs' borders.
    assert changed == counted == [True, False, False, True, False, False, True, False]


def test_pretraining_leaves_the_discriminator_untouched() -> None:
    training = new_training(tiny_settings(pretrain_epochs=2))
    untouched = copy.deepcopy(training.pair.discriminator.state_dict())
    for row in run(training, 2):
        assert row["reconstruction"] > 0
        names = ("adversarial", "total", "discriminator", "probability_fake", "total_ema")
        assert [row[name] for name in names] == [None] * 5
    assert differences(training.pair.discriminator.state_dict(), untouched) == []
    assert training.pair.discriminator_optimizer.state_dict()["state"] == {}
    (*_, row) = run(training, 1)
    assert row["adversarial"] > 0
    assert row["discriminator_ema"] > 0
    assert differences(training.pair.discriminator.state_dict(), untouched) != []


def test_factor_zero_is_training_on_reconstruction_alone() -> None:
    changes = {"discriminator_complexity": 2, "discriminator_lr": 1e-3}
    alone = new_training(tiny_settings(adversarial_factor=0.0, **changes))
    rows = run(alone, 2)
    assert all(row["adversarial"] is None and row["discriminator"] is None for row in rows)
    # The same as pre-training all along, whatever the factor would have been.
    pretrained = new_training(tiny_settings(adversarial_factor=0.9, pretrain_epochs=2))
    assert differences(run(pretrained, 2), rows) == []
    assert differences(alone.state_dict(), pretrained.state_dict()) == []


def test_both_learning_rates_decay_in_steps() -> None:
    settings = tiny_settings(
        generator_lr=1e-2, discriminator_lr=1e-3, lr_decay=0.5, lr_decay_every_epochs=2
    )
    training = new_training(settings, steps=1)
    for factor in (1.0, 1.0, 0.5, 0.5, 0.25):
        run(training, 1)
        (generator,) = training.pair.generator_optimizer.param_groups
        (discriminator,) = training.pair.discriminator_optimizer.param_groups
        assert generator["lr"] == pytest.approx(1e-2 * factor)
        assert discriminator["lr"] == pytest.approx(1e-3 * factor)


def test_the_generator_to_export_is_the_average() -> None:
    averaged, raw = (new_training(tiny_settings(ema_images=n)) for n in (100, 0))
    run(averaged, 1)
    run(raw, 1)
    assert raw.generator is raw.pair.generator
    # Averaging watches the training and does not change it.
    assert differences(raw.generator.state_dict(), averaged.pair.generator.state_dict()) == []
    assert differences(raw.generator.state_dict(), averaged.generator.state_dict()) != []


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_equal_seeds_give_equal_bits_and_others_do_not(dtype: torch.dtype) -> None:
    one, same, other = (
        new_training(tiny_settings(seed=seed), compute=cpu(dtype)) for seed in (5, 5, 6)
    )
    rows: tuple[Rows, Rows, Rows] = ([], [], [])
    for _ in range(2):  # epoch by epoch in turns: trainings of one process do not meddle
        for training, collected in zip((one, same, other), rows, strict=True):
            torch.rand(3)
            collected += run(training, 1)
    assert differences(rows[0], rows[1]) == []
    assert differences(one.state_dict(), same.state_dict()) == []
    assert differences(rows[0], rows[2]) != []


def test_dropout_masks_differ_from_epoch_to_epoch() -> None:
    settings = tiny_settings(adversarial_factor=0.0, generator_lr=1e-12, window_steps=1)
    training = Training(settings, ToyBatches(settings, steps=2, fixed=True), cpu())
    losses = [row["reconstruction"] for row in run(training, 3)]
    # The batch and (but for 1e-12) the weights stay; only the masks differ.
    assert len({round(loss, 6) for loss in losses}) == 6


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_resuming_at_any_epochs_end_equals_going_on(dtype: torch.dtype, tmp_path: Path) -> None:
    settings = tiny_settings(
        discriminator_every=2, pretrain_epochs=1, lr_decay=0.7, lr_decay_every_epochs=1
    )
    straight = new_training(settings, compute=cpu(dtype))
    rows = []
    for epoch in range(4):
        save_checkpoint(tmp_path / f"{epoch}.pt", straight.state_dict())
        rows.append(run(straight, 1))
    expected = copy.deepcopy(straight.state_dict())
    for epoch in range(4):
        resumed = new_training(settings, compute=cpu(dtype))
        resumed.load_state_dict(load_checkpoint(tmp_path / f"{epoch}.pt"))
        assert resumed.epoch == epoch
        # Weights, optimizers, moving averages, dropout masks and data order: all of it counts.
        assert differences(run(resumed, 4 - epoch), list(itertools.chain(*rows[epoch:]))) == []
        assert differences(resumed.state_dict(), expected) == []


def test_a_state_has_all_that_the_next_epoch_depends_on() -> None:
    """Each part of the state is needed: without it, the next epoch is another."""
    settings = tiny_settings(adversarial_factor=0.5)
    training = new_training(settings)
    fresh = copy.deepcopy(new_training(settings).state_dict())
    training = new_training(settings)
    run(training, 1)
    state = copy.deepcopy(training.state_dict())
    rows = run(training, 1)
    expected = copy.deepcopy(training.state_dict())
    for part in [None, *(name for name in state if name != "seconds")]:
        resumed = new_training(settings)
        resumed.load_state_dict(state if part is None else {**state, part: fresh[part]})
        changed = differences(run(resumed, 1), rows) + differences(resumed.state_dict(), expected)
        assert bool(changed) == (part is not None), part


def test_a_fixed_batch_is_learnt_by_heart() -> None:
    settings = tiny_settings(
        generator_complexity=8,
        generator_lr=8e-3,
        adversarial_factor=0.05,
        dropout=0.0,
        window_steps=20,
    )
    batches = ToyBatches(settings, steps=60, fixed=True)
    *_, last = run(Training(settings, batches, cpu()), 1)
    ((_, ab_N2HW),) = itertools.islice(batches.draws(0), 1)
    all_grey = ab_N2HW.abs().mean().item()
    assert last["reconstruction"] < 0.1 * all_grey


class SpoiltBatches(ToyBatches):
    """Batches of which one holds a value that no photo has."""

    def __init__(self, settings: TrainingSettings, *, at_step: int, value: float) -> None:
        super().__init__(settings, steps=6)
        self._at_step, self._value = at_step, value

    def draws(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for step, (L_N1HW, ab_N2HW) in enumerate(super().draws(epoch), start=1):
            if step == self._at_step:
                ab_N2HW[0, 0, 0, 0] = self._value
            yield L_N1HW, ab_N2HW


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("at_step", [1, 4, 6])
def test_a_loss_that_is_not_finite_ends_the_training(at_step: int, value: float) -> None:
    settings = tiny_settings()
    training = Training(settings, SpoiltBatches(settings, at_step=at_step, value=value), cpu())
    rows = []
    with pytest.raises(NonFiniteLossError, match=rf"^reconstruction was \w+ at step {at_step}$"):
        rows += training.run_epoch()
    assert training.epoch == 0


def test_weights_that_are_not_finite_end_the_training() -> None:
    training = new_training(tiny_settings())
    run(training, 1)
    with torch.no_grad():
        training.pair.discriminator.linear.weight.fill_(math.inf)
    with pytest.raises(NonFiniteLossError, match=r"^(adversarial|total) was \w+ at step 4$"):
        run(training, 1)


def weights_of(training: Training) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in training.pair.discriminator.named_parameters()}


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_measuring_the_discriminator_changes_no_bit_of_the_training(dtype: torch.dtype) -> None:
    settings = tiny_settings(pretrain_epochs=1, ema_images=16)
    plain, measured = (new_training(settings, compute=cpu(dtype)) for _ in range(2))
    assert measured.held_out_discrimination() is None
    found = []
    for _ in range(4):
        rows = [run(training, 1) for training in (plain, measured)]
        assert differences(*rows) == []
        held_out = measured.held_out_discrimination()
        if held_out is not None:
            validate(
                measured.generator,
                [toy_batch(6, 32, seed=i) for i in range(3)],
                device=torch.device("cpu"),
                discrimination=held_out,
            )
        found.append(held_out and held_out.auc())
        assert differences(plain.state_dict(), measured.state_dict()) == []
    # No discriminator learns in the first epoch.
    assert found[0] is None
    assert all(0.0 <= value <= 1.0 for value in found[1:])
    without = new_training(tiny_settings(adversarial_factor=0.0))
    run(without, 1)
    assert without.held_out_discrimination() is None
