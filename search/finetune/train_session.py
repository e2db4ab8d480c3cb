"""One session of a training: begins one or goes on with one, and leaves it resumable.

The command line and `train_api` are built on it. What can be refused is refused before photos are
touched, and torch is loaded only for what makes sense.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from data_pipeline.errors import InputError
from models.metrics.names import METRICS
from models.metrics.unseen import describe_broken_guards
from search.config import DeviceName, SearchConfig
from search.finetune.origin import ORIGIN_NAME, resume_training
from search.run.storage_errors import SearchHaltedError, describe, halts

if TYPE_CHECKING:
    from models.training.report import EpochReport
    from search.finetune.output_folder import TrainFolder
    from search.finetune.trial_choice import By
    from search.progress.display import Progress
    from search.run.photos import SearchPhotos
    from search.run.trial_rows import Row

#: operators that an Apple GPU lacks run on the CPU; torch reads this when it is imported
MPS_FALLBACK = ("PYTORCH_ENABLE_MPS_FALLBACK", "1")


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What a person asks of a training; None and False stand for what was not asked."""

    out: Path
    #: the folder of a run, or of a bundle that a training has made
    source: Path | None = None
    trial: str | None = None
    by: By | None = None
    epochs: int | None = None
    image_size: int | None = None
    images: str | None = None
    device: DeviceName | None = None
    time_budget_sec: float | None = None
    restart: bool = False
    smooth_upsampling: bool = False
    resume: bool = False
    force: bool = False

    @property
    def run(self) -> Path | None:
        """The folder of the run to take the configuration from."""
        from search.finetune.output_folder import TRAINING

        if self.source is not None and (self.source / TRAINING / ORIGIN_NAME).is_file():
            return self.source / TRAINING
        return self.source


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a training has ended; its bundle is in `path`."""

    path: Path
    trial_id: str
    #: epochs that are trained in all, of so many
    epochs: int
    max_epochs: int
    #: the epoch whose generator the bundle holds, and its metrics on the validation photos
    best_epoch: int
    metrics: dict[str, float]
    #: the metric that chose it
    objective: str
    #: why it has ended before its last epoch; None: it has not
    stopped: str | None
    #: the guards that its colours break, in one line; None when all hold
    broken_guards: str | None

    @classmethod
    def from_row(cls, row: Row, config: SearchConfig, path: Path) -> Self:
        """Read the row of trials.jsonl with which a training has ended."""
        objective = config.make_objective()
        known: Mapping[str, Any] = row
        return cls(
            path=path,
            trial_id=str(known["trial_id"]),
            epochs=int(known["epochs"]),
            max_epochs=config.max_epochs,
            best_epoch=int(known["best_epoch"]),
            metrics={name: float(known[name]) for name in METRICS if known.get(name) is not None},
            objective=objective.metric,
            stopped=None if known["state"] == "complete" else str(known["reason"]),
            broken_guards=describe_broken_guards(objective.guards, known) or None,
        )

    def __str__(self) -> str:
        """In one line."""
        guard = (
            f", but its colours fail the guards: {self.broken_guards}" if self.broken_guards else ""
        )
        return (
            f"{self.stopped or 'done'}: {self.epochs} of {self.max_epochs} epochs; best "
            f"{self.objective} {self.metrics[self.objective]:.4g} at epoch {self.best_epoch}{guard}"
        )


@dataclass(frozen=True, kw_only=True)
class TrainSession:
    """A training that can run: its folder is there, and what can be checked is checked."""

    folder: TrainFolder
    config: SearchConfig
    photos: SearchPhotos
    time_budget_sec: float | None

    @classmethod
    def open(cls, request: TrainRequest, progress: Progress, *, command: list[str]) -> Self:
        """Begin a training, or go on with the one in `request.out`; `command` is for run.json.

        Raises InputError for what cannot be trained; nothing has changed then.
        """
        if request.time_budget_sec is not None and request.time_budget_sec <= 0:
            raise InputError(
                f"--time-budget must be above 0, but got {request.time_budget_sec:g} s"
            )
        if request.resume:
            folder, config, photos = _resume(request, progress)
        else:
            folder, config, photos = _begin(request, progress, command)
        return cls(
            folder=folder, config=config, photos=photos, time_budget_sec=request.time_budget_sec
        )

    @property
    def resume_command(self) -> str:
        """The command line that goes on with it."""
        return resume_training(self.folder.out)

    def run(
        self, progress: Progress, on_epoch: Callable[[EpochReport], None] | None = None
    ) -> Trained:
        """Train to the end, or until the time budget ends, and write the bundle.

        Raises KeyboardInterrupt when interrupted, SearchHaltedError when the folder cannot be
        written, and what `on_epoch` raises, each with the training left resumable;
        TrainingFailedError when it has diverged.
        """
        from search.finetune.train import train
        from search.finetune.training_progress import TrainProgress

        shown = TrainProgress(progress, on_epoch)
        folder, run = self.folder, self.folder.run
        run.lock()
        try:
            folder.configure(self.config, self.photos)
            run.set_status("running")
            row = train(
                folder,
                self.photos.caches[self.config.image_size],
                time_budget_sec=self.time_budget_sec,
                progress=shown,
            )
            trained = Trained.from_row(row, self.config, folder.out)
            progress.say(str(trained))
            folder.publish()
            run.set_status("finished")
        except BaseException as error:
            theirs = error is shown.error
            resumable = theirs or isinstance(error, KeyboardInterrupt | OSError)
            run.note_status("interrupted" if resumable else "failed")
            if isinstance(error, OSError) and not theirs and halts(error, folder.out):
                raise SearchHaltedError(
                    f"the training halted: {describe(error)}; then go on with: "
                    f"{self.resume_command}"
                ) from error
            raise
        finally:
            run.close()
        if trained.stopped is not None:
            progress.say(f"go on with: {self.resume_command}")
        progress.say(f"wrote the generator of epoch {trained.best_epoch} to {folder.out}")
        return trained


def _begin(
    request: TrainRequest, progress: Progress, command: list[str]
) -> tuple[TrainFolder, SearchConfig, SearchPhotos]:
    if request.run is None:
        raise InputError(
            "--from must name the folder of a run, but got none; name one, or use --resume to go "
            "on with the training in --out"
        )
    from search.finetune.plan import plan_training

    plan = plan_training(
        request.run,
        trial=request.trial,
        by=request.by or "colour",
        epochs=request.epochs,
        image_size=request.image_size,
        images=request.images,
        device=request.device,
        restart=request.restart,
        smooth_upsampling=request.smooth_upsampling,
    )
    from search.finetune.output_folder import TrainFolder
    from search.run.photos import describe_photos, photos_of_run, prepare_photos, tested_of

    folder = TrainFolder(request.out)
    folder.check_absent(force=request.force)
    _check_device(plan.config, plan.settings.precision)
    with progress.photos() as on_photo:
        if plan.other_images:
            # Other photos, but none to train on that the search has tested on.
            tested = tested_of(plan.data)
            photos = prepare_photos(plan.config, tested=tested, progress=on_photo)
        else:
            photos = photos_of_run(plan.data, plan.config, progress=on_photo)
    plan = plan.on_photos(photos.caches[plan.config.image_size])
    progress.say(describe_photos(photos.summary))
    for line in plan.lines():
        progress.say(line)
    folder.create(plan, photos, command=command, force=request.force)
    return folder, plan.config, photos


def _resume(
    request: TrainRequest, progress: Progress
) -> tuple[TrainFolder, SearchConfig, SearchPhotos]:
    from search.finetune.output_folder import TrainFolder
    from search.run.directory import read_json
    from search.run.photos import describe_photos, reopen_photos

    folder = TrainFolder(request.out)
    folder.check_present()
    _check_same(request, folder)
    config = folder.config
    if request.device is not None:
        config = dataclasses.replace(config, device=request.device)
    if request.epochs is not None:
        trained = folder.trained_epochs
        if request.epochs < max(trained, 1):
            raise InputError(
                f"--epochs must be at least the {trained} that {folder.out} has trained, but got "
                f"{request.epochs}"
            )
        config = dataclasses.replace(config, max_epochs=request.epochs)
    _check_device(config, folder.settings.precision)
    size = config.image_size
    before = Path(read_json(folder.run.path / "data.json")["cache"][str(size)])
    with progress.photos() as on_photo:
        photos = reopen_photos(folder.run, config, progress=on_photo)
    if photos.caches[size].name != before.name:
        raise InputError(
            f"a training must go on with the photos it began with, but {config.images} has "
            f"changed since; restore it, or train again with --force"
        )
    progress.say(describe_photos(photos.summary))
    progress.say(f"goes on after epoch {folder.trained_epochs}, up to epoch {config.max_epochs}")
    return folder, config, photos


def _check_same(request: TrainRequest, folder: TrainFolder) -> None:
    """What would change the result cannot be changed when a training goes on."""
    if request.force:
        raise InputError(
            "--resume keeps what --out holds, but got --force, too; leave one of them out"
        )
    origin, settings, config = folder.origin, folder.settings, folder.config
    if request.by is not None:
        raise InputError(
            f"a resumed training keeps its trial ({origin.trial_id}), but got --by {request.by}; "
            "leave the flag out, or train to another --out"
        )
    trial = request.trial
    if trial is not None and re.fullmatch(r"\d+", trial):
        trial = trial.zfill(4)
    asked = (
        ("--from", request.run and str(request.run.resolve()), origin.folder),
        ("--trial", trial, origin.trial_id),
        ("--image-size", request.image_size, settings.image_size),
        ("--images", request.images, config.images),
        ("--restart", request.restart or None, origin.continued_after == 0),
        ("--smooth-upsampling", request.smooth_upsampling or None, settings.smooth_upsampling),
    )
    for flag, value, kept in asked:
        if value is not None and value != kept:
            raise InputError(
                f"a resumed training keeps its {flag} ({kept}), but got {value}; leave the flag "
                "out, or train to another --out"
            )


def _check_device(config: SearchConfig, precision: Any) -> None:
    from models.training.device import resolve_compute

    resolve_compute(config.device, precision)
