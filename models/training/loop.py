"""The training loop: epochs of adversarial steps that yield rows of losses; no framework."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from models.accelerator.captured_steps import CapturedSteps, Draw, GraphRecorder, Step
from models.accelerator.thread_choice import ThreadedSteps
from models.metrics.discrimination import HeldOutDiscrimination
from models.networks.generator import Generator
from models.training.device import Compute
from models.training.loss_window import LossWindow
from models.training.optimizer import (
    load_optimizer_state,
    optimizer_state,
    set_learning_rate,
)
from models.training.settings import TrainingSettings
from models.training.step import AdversarialPair, StepKind
from models.training.weight_average import WeightAverage


class Batches(Protocol):
    """Training batches; they depend on an epoch and its seed only, so that a run can resume."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of whole batches in an epoch."""

    def draws(self, epoch: int) -> Iterator[tuple[Tensor, ...]]:
        """Yield what `decode` makes each batch of: tensors of the same shapes, on any device."""

    def decode(self, *draw: Tensor) -> tuple[Tensor, Tensor]:
        """Return (L_N1HW, ab_N2HW), both in [-1, 1], float32, on the device of the draw."""


class Training:
    """The state of one adversarial training, and the loop that advances it epoch by epoch.

    Equal settings, batches and thread counts give bitwise equal results on the CPU, also through
    `state_dict` and `load_state_dict` at any epoch's end. (`compute.adaptive_threads` above 1 gives
    that up for speed.)
    """

    def __init__(self, settings: TrainingSettings, batches: Batches, compute: Compute) -> None:
        torch.manual_seed(settings.seed_of(0))
        self.settings = settings
        self.batches = batches
        self.compute = compute
        self.pair = AdversarialPair(settings, compute)
        self.average: WeightAverage | None = None
        if settings.ema_images:
            self.average = WeightAverage(
                self.pair.generator,
                half_life_images=settings.ema_images,
                share_of_seen=settings.ema_share,
                captures=compute.captures,
            )
        self.window = LossWindow(smoothing=settings.loss_smoothing)
        self.epoch = 0
        self.step = 0
        self.seconds = 0.0
        self.pair.generator.train()
        self.pair.discriminator.train()
        self.steps = self._make_steps()

    @property
    def images(self) -> int:
        """Photos seen so far, repeats included."""
        return self.step * self.settings.batch_size

    @property
    def generator(self) -> Generator:
        """The generator to validate and export: the averaged one if there is an average."""
        return self.average.network if self.average else self.pair.generator

    def run_epoch(
        self, *, on_step: Callable[[int, int], None] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Train one epoch; yield a row of losses at the end of each window.

        `on_step` is called after each step with (steps done, steps in all) of the epoch.

        Raises NonFiniteLossError at the end of the window in which a loss stopped being finite.
        """
        settings, steps_per_epoch = self.settings, self.batches.steps_per_epoch
        self._set_learning_rates()
        self._seed_dropout()
        adversarial = self._is_adversarial(self.epoch)
        started, seconds_before = time.perf_counter(), self.seconds
        for i, draw in enumerate(self.batches.draws(self.epoch)):
            train_discriminator = adversarial and self.step % settings.discriminator_every == 0
            kind = StepKind(adversarial, train_discriminator)
            self.step += 1
            if self.average:
                self.average.schedule(batch_size=settings.batch_size, images_seen=self.images)
            self.window.add(self.steps(kind, draw), kind)
            if len(self.window) == settings.window_steps or i + 1 == steps_per_epoch:
                row = self.window.close(step=self.step)
                self.seconds = seconds_before + time.perf_counter() - started
                yield {
                    "step": self.step,
                    "epoch": round(self.epoch + (i + 1) / steps_per_epoch, 6),
                    "images": self.images,
                    "seconds": round(self.seconds, 3),
                    **row,
                }
            if on_step:
                on_step(i + 1, steps_per_epoch)
        self.epoch += 1

    def held_out_discrimination(self) -> HeldOutDiscrimination | None:
        """To be shown unseen photos; None where the discriminator did not learn in the last epoch.

        It changes nothing that the training goes on with.
        """
        if self.epoch == 0 or not self._is_adversarial(self.epoch - 1):
            return None
        size = self.settings.batch_size
        return HeldOutDiscrimination(self.pair.discriminator, batch_size=size)

    def _is_adversarial(self, epoch: int) -> bool:
        return self.settings.adversarial and epoch >= self.settings.pretrain_epochs

    def _make_steps(self) -> Step | CapturedSteps:
        if self.compute.adaptive_threads > 1:
            return ThreadedSteps(self._train_on, most=self.compute.adaptive_threads)
        if not self.compute.captures:
            return self._train_on
        recorder = GraphRecorder(self.compute.device)
        return CapturedSteps(
            self._train_on, state=self._tensors, compute=self.compute, recorder=recorder
        )

    def _train_on(self, kind: StepKind, draw: Draw) -> Tensor:
        """All that a step does on the device; its only inputs are tensors and its kind."""
        batch = self.batches.decode(*(self.compute.move(tensor) for tensor in draw))
        L_N1HW, ab_N2HW = (
            tensor.to(self.compute.device, memory_format=self.compute.memory_format)
            for tensor in batch
        )
        losses = self.pair.step(L_N1HW, ab_N2HW, **kind._asdict())
        if self.average:
            self.average.update()
        return torch.stack(losses)

    def _tensors(self) -> list[Tensor]:
        """All that a step changes."""
        pair = self.pair
        networks = [pair.generator, pair.discriminator]
        networks += [self.average.network] if self.average else []
        moments = [
            tensor
            for optimizer in (pair.generator_optimizer, pair.discriminator_optimizer)
            for state in optimizer.state.values()
            for tensor in state.values()
        ]
        return [*(t for network in networks for t in network.state_dict().values()), *moments]

    def _seed_dropout(self) -> None:
        # Like the batches, dropout masks depend on the epoch and its seed, not on what else draws.
        entropy = np.random.SeedSequence((self.settings.seed_of(self.epoch), self.epoch))
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))

    def _set_learning_rates(self) -> None:
        settings = self.settings
        factor = settings.lr_decay ** (self.epoch // settings.lr_decay_every_epochs)
        for optimizer, lr in (
            (self.pair.generator_optimizer, settings.generator_lr),
            (self.pair.discriminator_optimizer, settings.discriminator_lr),
        ):
            set_learning_rate(optimizer, lr * factor)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as tensors and plain values."""
        return {
            **self.generator_state(),
            "discriminator": self.pair.discriminator.state_dict(),
            "discriminator_optimizer": optimizer_state(self.pair.discriminator_optimizer),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where `state_dict` was taken, on whatever device that was."""
        self.load_generator_state(state)
        self.pair.discriminator.load_state_dict(state["discriminator"])
        load_optimizer_state(self.pair.discriminator_optimizer, state["discriminator_optimizer"])

    def generator_state(self) -> dict[str, Any]:
        """The part of `state_dict` that epochs of pre-training change."""
        pair = self.pair
        return {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "loss_averages": dict(self.window.averages),
            "generator": pair.generator.state_dict(),
            "average": self.average.network.state_dict() if self.average else None,
            "generator_optimizer": optimizer_state(pair.generator_optimizer),
        }

    def load_generator_state(self, state: dict[str, Any]) -> None:
        """Continue a pre-training exactly where `generator_state` was taken."""
        self.pair.generator.load_state_dict(state["generator"])
        if self.average:
            self.average.network.load_state_dict(state["average"])
        load_optimizer_state(self.pair.generator_optimizer, state["generator_optimizer"])
        self.steps = self._make_steps()  # recorded steps would write to the moments of before
        self.window.averages = dict(state["loss_averages"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.seconds = state["seconds"]
