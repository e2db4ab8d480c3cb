"""One recorded piece of training: epochs through `loop.Training`, a row for each."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from benchmarks.recordings.beginnings import States, beginning_settings, key_of
from benchmarks.recordings.evaluation import SETS, Evaluation, output_codes
from benchmarks.recordings.partition import PhotoSets
from benchmarks.recordings.rows import Row
from data_pipeline.batches import TrainingBatches
from models.networks.complexity import network_sizes
from models.training.device import resolve_compute
from models.training.loop import Training
from models.training.loss_window import NonFiniteLossError
from models.training.settings import TrainingSettings

#: columns of the loss curves that a row keeps, a value for each window
CURVE = (
    "step",
    "reconstruction",
    "adversarial",
    "discriminator",
    "probability_real",
    "probability_fake",
)
#: multiply-adds of a pass backward, in passes forward
BACKWARD = 2


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Epochs `start` to `end` of a training, recorded together.

    A beginning (`adversarial_factor` 0) leaves its state for others at `end`, and so does the
    first part of a training; whatever starts after epoch 0 goes on from such a state.
    """

    plan: str
    #: place in the plan; beginnings have that of the first training that needs them
    number: int
    settings: TrainingSettings
    start: int
    end: int
    leaves_state: bool = False
    #: whether its last row has the duality gap
    duality: bool = False

    @property
    def is_beginning(self) -> bool:
        """Whether it trains on reconstruction alone, for others to go on from."""
        return not self.settings.adversarial

    def key(self, data_key: str) -> str:
        """Its name: the same settings, epochs and photos have the same, whatever the plan."""
        return key_of(
            settings=self.settings.identity(), start=self.start, end=self.end, data=data_key
        )


def pieces_of(
    plan: str,
    number: int,
    settings: TrainingSettings,
    epochs: int,
    duality: bool = False,
    *,
    snapshots: Sequence[int],
    first_epochs: int,
) -> list[Piece]:
    """A training as pieces: its beginning up to each snapshot on the way, then the rest in two.

    `epochs` counts those after `settings.pretrain_epochs`, which must be 0 or a snapshot; the
    first part has `first_epochs` of them. The last part ends with the duality gap if `duality`.
    """
    stops = [stop for stop in (0, *snapshots) if stop <= settings.pretrain_epochs]
    begun = beginning_settings(settings)
    pieces = [
        Piece(plan=plan, number=number, settings=begun, start=start, end=end, leaves_state=True)
        for start, end in itertools.pairwise(stops)
    ]
    last, cut = stops[-1] + epochs, stops[-1] + min(first_epochs, epochs)
    for start, end in ((stops[-1], cut), (cut, last)):
        if start < end:
            pieces.append(
                Piece(
                    plan=plan,
                    number=number,
                    settings=settings,
                    start=start,
                    end=end,
                    leaves_state=end < last,
                    duality=duality and end == last,
                )
            )
    return pieces


class Recorder:
    """Trains pieces on one set of photos and measures each epoch."""

    def __init__(self, photos: PhotoSets, evaluation: Evaluation, store: Path) -> None:
        self.photos = photos
        self.evaluation = evaluation
        self.data_key = key_of(cache=photos.cache.key, counts=photos.counts)
        self.states = States(store / "beginnings", data_key=self.data_key)
        self.outputs = store / "outputs"
        self.outputs.mkdir(parents=True, exist_ok=True)

    def is_kept(self, piece: Piece) -> bool:
        """Whether what later pieces need of this one is on the disk."""
        return not piece.leaves_state or self.states.path(piece.settings, piece.end).exists()

    def can_start(self, piece: Piece) -> bool:
        """Whether what a piece goes on from is there; not after a failure."""
        return piece.start == 0 or self.states.path(piece.settings, piece.start).exists()

    def record(self, piece: Piece) -> list[Row]:
        """Train a piece; a non-finite loss closes it with a row that says so."""
        training = self._start(piece)
        rows: list[Row] = []
        while training.epoch < piece.end:
            try:
                row = self._epoch(training, piece)
            except NonFiniteLossError as error:
                rows.append(self._head(training, piece) | {"failed": str(error), "last": True})
                return rows
            rows.append(row)
        if piece.leaves_state:
            self.states.save(training)
        return rows

    def _start(self, piece: Piece) -> Training:
        settings = piece.settings
        batches = TrainingBatches(
            self.photos.cache,
            self.photos.rows["train"],
            batch_size=settings.batch_size,
            seed=settings.seed,
            flip=settings.flip,
        )
        training = Training(settings, batches, resolve_compute("cpu", settings.precision))
        if piece.start:
            self.states.load_into(training, piece.start)
        return training

    def _head(self, training: Training, piece: Piece) -> Row:
        return {
            "version": 1,
            "plan": piece.plan,
            "number": piece.number,
            "kind": "beginning" if piece.is_beginning else "branch",
            "key": piece.key(self.data_key),
            "settings": training.settings.to_dict(),
            "dtype": str(training.compute.dtype).removeprefix("torch."),
            "photos": self.photos.counts,
            "start": piece.start,
            "end": piece.end,
        }

    def _epoch(self, training: Training, piece: Piece) -> Row:
        seconds_before, cpu_before = training.seconds, time.process_time()
        windows, norms = [], []
        for window in training.run_epoch():
            windows.append(window)
            norms.append((_norm(training.pair.generator), _norm(training.pair.discriminator)))
        cpu_seconds = time.process_time() - cpu_before
        began = time.perf_counter()
        fakes = self.evaluation.colorize(training.generator)
        # The judge is dear, and `remeasure` can call it for other epochs at any time.
        measured = self.evaluation.measure(fakes, judge=training.epoch == piece.end)
        adversarial = windows[-1]["adversarial"] is not None
        if adversarial:
            measured["discrimination"] = self.evaluation.discriminate(training, fakes)
            if piece.duality and training.epoch == piece.end:
                measured["duality"] = self.evaluation.duality(training)
        key = piece.key(self.data_key)
        np.savez_compressed(self.outputs / f"{key}-{training.epoch}.npz", **output_codes(fakes))
        late = norms[len(norms) // 2 :]
        return self._head(training, piece) | {
            "epoch": training.epoch,
            "step": training.step,
            "seconds": training.seconds - seconds_before,
            "cpu_seconds": cpu_seconds,
            "evaluation_seconds": time.perf_counter() - began,
            "load": os.getloadavg()[0],
            **_sizes(training, adversarial=adversarial),
            "curve": {name: [window[name] for window in windows] for name in CURVE},
            "gradient_norms": {
                "generator": float(np.mean([g for g, _ in late])),
                "discriminator": float(np.mean([d for _, d in late])),
            },
            "sets": list(SETS),
            **measured,
            "last": training.epoch == piece.end,
        }


def _norm(network: nn.Module) -> float:
    """Euclidean norm of the gradients that the last step left, NaN if it left none."""
    squares = [float(p.grad.square().sum()) for p in network.parameters() if p.grad is not None]
    return sum(squares) ** 0.5 if squares else float("nan")


def _sizes(training: Training, *, adversarial: bool) -> Row:
    """Parameters, and multiply-adds of training for this epoch."""
    settings = training.settings
    sizes = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    photos = training.batches.steps_per_epoch * settings.batch_size
    passes = (1 + BACKWARD) * sizes.generator_multiply_adds
    if adversarial:  # real and fake to learn from, and once more, back to its input, for G
        passes += (2 * (1 + BACKWARD) + 2) * sizes.discriminator_multiply_adds
    return {
        "multiply_adds": photos * passes,
        "generator_parameters": sizes.generator_parameters,
        "discriminator_parameters": sizes.discriminator_parameters,
        "parameter_ratio": sizes.parameter_ratio,
    }
