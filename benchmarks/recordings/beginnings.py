"""Trainings on reconstruction alone that later trainings go on from, kept on disk.

While the generator trains on reconstruction the discriminator takes no part, so the state depends
on the generator, its rate, the data and the seed only. `Training` makes the generator's weights
before the discriminator's and seeds batches and dropout by epoch, so a training that takes over a
beginning equals bitwise the one that trained it alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models.training.loop import Training
from models.training.settings import TrainingSettings


def key_of(**parts: Any) -> str:
    """A short name for everything that a recorded piece depends on."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def beginning_settings(settings: TrainingSettings) -> TrainingSettings:
    """What the first `pretrain_epochs` of a training depend on; all else as it is by default."""
    default = TrainingSettings()
    return replace(
        settings,
        discriminator_complexity=default.discriminator_complexity,
        discriminator_lr=default.discriminator_lr,
        discriminator_every=default.discriminator_every,
        adversarial_factor=0.0,
        pretrain_epochs=0,
    )


class States:
    """A folder of states, one for each training (or shared beginning) and number of epochs."""

    def __init__(self, folder: Path, *, data_key: str) -> None:
        self.folder = folder
        self.data_key = data_key
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, settings: TrainingSettings, epochs: int) -> Path:
        """Where the state after so many epochs is kept; up to `pretrain_epochs` it is shared."""
        if not settings.adversarial or epochs <= settings.pretrain_epochs:
            settings = beginning_settings(settings)
        key = key_of(settings=settings.identity(), data=self.data_key)
        return self.folder / f"{key}-{epochs}.pt"

    def save(self, training: Training) -> None:
        """Keep the state of a training; whole or not at all."""
        state = training.state_dict()
        if not training.settings.adversarial:
            del state["discriminator"], state["discriminator_optimizer"]
        path = self.path(training.settings, training.epoch)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def load_into(self, training: Training, epochs: int) -> None:
        """Go on from the state after `epochs`; after a beginning with a fresh discriminator."""
        state = torch.load(self.path(training.settings, epochs), weights_only=True)
        if "discriminator" not in state:
            fresh = training.state_dict()
            state["discriminator"] = fresh["discriminator"]
            state["discriminator_optimizer"] = fresh["discriminator_optimizer"]
        training.load_state_dict(state)
