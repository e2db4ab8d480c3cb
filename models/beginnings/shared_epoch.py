"""Epochs of pre-training, taken from a store or given to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from data_pipeline.errors import InputError
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.report import LossRow


@dataclass(frozen=True)
class SharedEpoch:
    """What an epoch of pre-training leaves, enough for other trials to go on from it."""

    #: `Training.generator_state` after it
    training: dict[str, Any]
    #: its rows of losses
    windows: list[LossRow]
    #: its validation metrics
    metrics: dict[str, float]
    #: of training and validation
    seconds: float


class EpochStore(Protocol):
    """Keeps files named KEY/epoch-008.pt, and may forget them at any time."""

    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Keep a file, whole or not at all."""


class Beginning:
    """The pre-training of one trial, which trials with the same `key` share.

    Args:
        store: of all beginnings.
        key: hash of what this one depends on, see `identity.beginning_key`.
        epochs: its length in this trial.
    """

    def __init__(self, store: EpochStore, key: str, *, epochs: int) -> None:
        self._store = store
        self._key = key
        self._epochs = epochs
        self._given = False

    def take(self, epoch: int) -> SharedEpoch | None:
        """The epoch (1 is the first), if it belongs to the beginning and the store has it whole.

        Once an epoch was trained here, which `give` shows, so are those that follow.
        """
        if self._given or epoch > self._epochs:
            return None
        name = self._name(epoch)
        content = self._store.read(name)
        if content is None:
            return None
        try:
            state = decode_checkpoint(content, name)
        except InputError:
            return None  # cut off by a kill or a power cut; it is trained and written again
        return SharedEpoch(
            state["training"], state["windows"], state["metrics"], seconds=state["seconds"]
        )

    def give(self, shared: SharedEpoch) -> None:
        """Keep an epoch that was trained here, if it belongs to the beginning."""
        self._given = True
        epoch = shared.training["epoch"]
        if epoch <= self._epochs:
            self._store.write(self._name(epoch), encode_checkpoint(vars(shared)))

    def _name(self, epoch: int) -> str:
        return f"{self._key}/epoch-{epoch:03d}.pt"
