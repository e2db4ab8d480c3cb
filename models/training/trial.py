"""One trial: train, validate and checkpoint, epoch by epoch, in a folder. No Ray, no Optuna."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data_pipeline.batches import TrainingBatches, load_batch
from data_pipeline.cache.build import PhotoCache
from data_pipeline.durable import make_folder, remove_leftovers, replace_files
from data_pipeline.errors import InputError
from data_pipeline.split import Split
from models.accelerator.memory import photos_fit
from models.beginnings.identity import beginning_key
from models.beginnings.shared_epoch import Beginning, EpochStore, SharedEpoch
from models.file_names import BEST, CHECKPOINT, ORIGINALS, SAMPLES
from models.metrics.objective import Objective
from models.metrics.validation import validate
from models.training.checkpoint import encode_checkpoint, load_checkpoint, save_checkpoint
from models.training.device import Compute
from models.training.epoch_progress import EpochProgress
from models.training.loop import Training
from models.training.report import BestEpoch, EpochReport, LossRow
from models.training.sample_grid import encode_png, originals_grid, sample_grid
from models.training.settings import TrainingSettings

N_SAMPLES = 9
VALIDATION_BATCH = 32


class TrialTraining:
    """A training with its validation, sample grid and checkpoints.

    `run_epoch` returns a report. A trial whose folder holds a checkpoint goes on from there.

    Args:
        folder: where checkpoints and sample grids go; made if missing.
        settings: what to train.
        max_epochs: number of epochs after which the trial is complete.
        cache: the photos.
        split: which of them train and which validate.
        objective: what makes an epoch the best.
        compute: device, layout and precision.
        max_validation_photos: validate on so many photos at most.
        gpu_share: the part of its GPU that the trial may fill, beside others.
        beginnings: where epochs of pre-training come from that other trials have trained, and
            where those of this one go.

    Raises InputError if the folder holds a damaged checkpoint, or one of other settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: TrainingSettings,
        max_epochs: int,
        cache: PhotoCache,
        split: Split,
        objective: Objective,
        compute: Compute,
        max_validation_photos: int = 128,
        gpu_share: float = 1.0,
        beginnings: EpochStore | None = None,
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.max_epochs = max_epochs
        self.objective = objective
        self.cache = cache
        self.validation_indices = split.validation[:max_validation_photos]
        resident = photos_fit(
            settings, compute.device, n_photos=len(split.train), gpu_share=gpu_share
        )
        batches = TrainingBatches(
            cache,
            split.train,
            batch_size=settings.batch_size,
            seed=settings.seed_of,
            flip=settings.flip,
            crop_area=settings.crop_area,
            resident_on=compute.device if resident else None,
        )
        self.training = Training(settings, batches, compute)
        self.beginning: Beginning | None = None
        if beginnings is not None:
            key = beginning_key(
                settings,
                photos=cache.key,
                train=split.train,
                validation=self.validation_indices,
                compute=compute,
            )
            self.beginning = Beginning(beginnings, key, epochs=settings.pretrain_epochs)
        self.seconds = 0.0
        #: epochs that others have trained, and the seconds that it took them
        self.shared_epochs = 0
        self.seconds_saved = 0.0
        self.best: BestEpoch | None = None
        self.last_report: EpochReport | None = None
        make_folder(folder)
        remove_leftovers(folder)
        if self.checkpoint_path.exists():
            self._restore(load_checkpoint(self.checkpoint_path))

    @property
    def checkpoint_path(self) -> Path:
        """The latest state, from which the trial resumes."""
        return self.folder / CHECKPOINT

    @property
    def best_path(self) -> Path:
        """The generator of the best epoch, which is what is exported."""
        return self.folder / BEST

    @property
    def done(self) -> bool:
        """Whether all epochs are trained."""
        return self.training.epoch >= self.max_epochs

    def run_epoch(self, *, on_step: Callable[[EpochProgress], None] | None = None) -> EpochReport:
        """Train, validate and checkpoint one epoch; return its report.

        An epoch of pre-training that another trial has trained is taken from there.
        `on_step` is called after each step that is trained here.
        Raises NonFiniteLossError; the checkpoints of earlier epochs are then untouched.
        """
        started = time.perf_counter()
        shared = self.beginning and self.beginning.take(self.training.epoch + 1)
        if shared:
            self.training.load_generator_state(shared.training)
            self.shared_epochs += 1
            self.seconds_saved += shared.seconds
            windows, metrics, auc = shared.windows, shared.metrics, None
        else:
            windows, metrics, auc = self._train_epoch(on_step)
        trained_sec = time.perf_counter() - started
        key = self.objective.sort_key
        best = self.best
        if best is None or key(metrics) < key(best.metrics):
            self.best = best = BestEpoch(epoch=self.training.epoch, metrics=metrics)
            self._keep(best)
        self.seconds += time.perf_counter() - started
        self.last_report = EpochReport(
            epoch=self.training.epoch,
            step=self.training.step,
            images=self.training.images,
            seconds=round(self.seconds, 3),
            windows=windows,
            metrics=metrics,
            feasible=self.objective.feasible(metrics),
            best_epoch=best.epoch,
            best_metrics=best.metrics,
            done=self.done,
            discriminator_auc=auc,
            shared_epochs=self.shared_epochs,
            seconds_saved=round(self.seconds_saved, 3),
        )
        self._save()
        if self.beginning and not shared:
            state = self.training.generator_state()
            self.beginning.give(SharedEpoch(state, windows, metrics, seconds=trained_sec))
        return self.last_report

    def _train_epoch(
        self, on_step: Callable[[EpochProgress], None] | None
    ) -> tuple[list[LossRow], dict[str, float], float | None]:
        def stepped(step: int, steps: int) -> None:
            if on_step:
                on_step(self._progress(step, steps))

        training = self.training
        windows = list(training.run_epoch(on_step=stepped))
        judged = training.held_out_discrimination()
        metrics = validate(
            training.generator,
            self._validation_batches(),
            device=training.compute.device,
            discrimination=judged,
        )
        return windows, metrics, None if judged is None else judged.auc()

    def _progress(self, step: int, steps: int) -> EpochProgress:
        averages = self.training.window.averages
        return EpochProgress(
            epoch=self.training.epoch,
            step=step,
            steps=steps,
            reconstruction=averages.get("reconstruction"),
            adversarial=averages.get("adversarial"),
        )

    def _keep(self, best: BestEpoch) -> None:
        generator = self.training.generator
        state = {
            "settings": self.settings.to_dict(),
            **asdict(best),
            "generator": generator.state_dict(),
        }
        L_N1HW, real_N2HW = load_batch(self.cache, self.validation_indices[:N_SAMPLES])
        fake_N2HW = self._colorize(L_N1HW)
        files = {
            BEST: encode_checkpoint(state),
            SAMPLES: encode_png(sample_grid(L_N1HW, fake_N2HW)),
        }
        if not (self.folder / ORIGINALS).exists():
            files[ORIGINALS] = encode_png(originals_grid(L_N1HW, real_N2HW))
        # Before the checkpoint, which says that they are those of the best epoch.
        replace_files(self.folder, files)

    def _colorize(self, L_N1HW: Tensor) -> Tensor:
        generator = self.training.generator
        was_training = generator.training
        generator.eval()
        with torch.inference_mode():
            fake_N2HW: Tensor = generator(L_N1HW.to(self.training.compute.device))
        generator.train(was_training)
        return fake_N2HW.cpu()

    def _validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        indices: npt.NDArray[np.int64] = self.validation_indices
        for start in range(0, len(indices), VALIDATION_BATCH):
            part = indices[start : start + VALIDATION_BATCH]
            yield load_batch(self.cache, part, self.training.compute.device)

    def _save(self) -> None:
        save_checkpoint(
            self.checkpoint_path,
            {
                "settings": self.settings.to_dict(),
                "training": self.training.state_dict(),
                "seconds": self.seconds,
                "best": self.best and asdict(self.best),
                # A killed driver may never have seen it; the resumed trial reports it again.
                "last_report": self.last_report and self.last_report.to_dict(),
            },
        )

    def _restore(self, state: dict[str, Any]) -> None:
        if state["training"]["generator_optimizer"] is None:
            raise InputError(
                f"the trial in {self.folder} cannot go on: it had ended and its optimizers were "
                "dropped to save space; train its configuration again in another folder"
            )
        saved = TrainingSettings.from_dict(state["settings"]).to_dict()
        asked = self.settings.to_dict()
        if differing := [name for name in asked if asked[name] != saved[name]]:
            raise InputError(
                f"the trial in {self.folder} must go on with the settings it began with, but "
                + ", ".join(f"{name} was {saved[name]} and is {asked[name]}" for name in differing)
                + "; restore them or take another folder"
            )
        self.training.load_state_dict(state["training"])
        self.seconds = state["seconds"]
        self.best = BestEpoch(**state["best"])
        # Whether it is done is for the present `max_epochs` to say.
        self.last_report = replace(EpochReport.from_dict(state["last_report"]), done=self.done)
        self.shared_epochs = self.last_report.shared_epochs
        self.seconds_saved = self.last_report.seconds_saved


def epochs_to_go_on_from(folder: Path) -> int:
    """How many epochs the trial in `folder` has trained, if it can go on from there; else 0.

    It cannot when nothing was kept of it, or when `drop_optimizers` took what it needs. Raises
    InputError for a damaged checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.is_file() or not (folder / BEST).is_file():
        return 0
    training = load_checkpoint(path)["training"]
    return 0 if training["generator_optimizer"] is None else int(training["epoch"])


def drop_optimizers(folder: Path) -> None:
    """Make the latest checkpoint of a trial that has ended a third of its size: weights alone."""
    path = folder / CHECKPOINT
    if not path.exists():
        return
    state = load_checkpoint(path)
    training = state["training"]
    if training["generator_optimizer"] is not None:
        training["generator_optimizer"] = training["discriminator_optimizer"] = None
        save_checkpoint(path, state)
