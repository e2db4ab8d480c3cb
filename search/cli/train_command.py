"""`chromatune train`: train a trial's configuration on to full length and size, to a bundle."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import InputError
from models.metrics.unseen import describe_broken_guards
from search.cli.results_commands import add_trial_flags
from search.cli.search_command import parse_duration
from search.config import DEVICE_NAMES, SearchConfig

if TYPE_CHECKING:
    from search.finetune.output_folder import TrainFolder
    from search.progress.display import Progress
    from search.run.photos import SearchPhotos


def add_parser(commands: Any) -> None:
    """Add the command to the sub-parsers of `commands`."""
    parser = commands.add_parser(
        "train",
        help="train a run's best configuration on, to a bundle",
        description="Train a trial's configuration at full length and size (docs/train.md). At the "
        "trial's image size and on its photos it goes on from the trial's last epoch, else it "
        "begins with fresh weights.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="RUN", help="the folder of a run"
    )
    add_trial_flags(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="E",
        help="in all, the trial's included (3 times those of the search)",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="S",
        help="pixels a side (the trial's); the discriminator's width is adapted",
    )
    parser.add_argument("--images", metavar="DIR", help="other photos than those of the run")
    parser.add_argument("--device", choices=DEVICE_NAMES, help="default: that of the run")
    parser.add_argument(
        "--time-budget",
        type=parse_duration,
        dest="time_budget_sec",
        metavar="2h",
        help="end, and export, after the epoch in which it passes",
    )
    parser.add_argument("--restart", action="store_true", help="begin with fresh weights")
    parser.add_argument(
        "--smooth-upsampling",
        action="store_true",
        help="against a pixelated look: blur the generator's upsampling; begins with fresh weights",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the training in --out")
    parser.add_argument(
        "--force", action="store_true", help="replace an existing bundle or training"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from search.progress.display import Progress

    # Operators that an Apple GPU lacks run on the CPU; torch reads this when it is imported.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    if arguments.time_budget_sec == 0:
        raise InputError("--time-budget must be above 0, but got 0 s")
    prepare = _resume if arguments.resume else _begin
    with Progress() as progress:
        progress.wait_for("starting")
        folder, config, photos = prepare(arguments, progress)
        progress.wait_for("starting the training")
        return _train(folder, config, photos, arguments.time_budget_sec, progress)


def _begin(
    arguments: argparse.Namespace, progress: Progress
) -> tuple[TrainFolder, SearchConfig, SearchPhotos]:
    if arguments.source is None:
        raise InputError(
            "--from must name the folder of a run, but got none; name one, or use --resume to go "
            "on with the training in --out"
        )
    from search.finetune.plan import plan_training

    plan = plan_training(
        arguments.source,
        trial=arguments.trial,
        by=arguments.by or "colour",
        epochs=arguments.epochs,
        image_size=arguments.image_size,
        images=arguments.images,
        device=arguments.device,
        restart=arguments.restart,
        smooth_upsampling=arguments.smooth_upsampling,
    )
    from search.finetune.output_folder import TrainFolder
    from search.run.photos import photos_of_run, prepare_photos, tested_of

    folder = TrainFolder(arguments.out)
    folder.check_absent(force=arguments.force)
    _check_device(plan.config, plan.settings.precision)
    with progress.photos() as on_photo:
        if plan.other_images:
            # Other photos, but none to train on that the search has tested on.
            tested = tested_of(plan.data)
            photos = prepare_photos(plan.config, tested=tested, progress=on_photo)
        else:
            photos = photos_of_run(plan.data, plan.config, progress=on_photo)
    plan = plan.on_photos(photos.caches[plan.config.image_size])
    _say_photos(photos, progress)
    for line in plan.lines():
        progress.say(line)
    folder.create(plan, photos, command=["chromatune", *arguments.words], force=arguments.force)
    return folder, plan.config, photos


def _resume(
    arguments: argparse.Namespace, progress: Progress
) -> tuple[TrainFolder, SearchConfig, SearchPhotos]:
    from search.finetune.output_folder import TrainFolder
    from search.run.directory import read_json
    from search.run.photos import reopen_photos

    folder = TrainFolder(arguments.out)
    folder.check_present()
    _check_same(arguments, folder)
    config = folder.config
    if arguments.device is not None:
        config = dataclasses.replace(config, device=arguments.device)
    if arguments.epochs is not None:
        trained = folder.trained_epochs
        if arguments.epochs < max(trained, 1):
            raise InputError(
                f"--epochs must be at least the {trained} that {folder.out} has trained, but got "
                f"{arguments.epochs}"
            )
        config = dataclasses.replace(config, max_epochs=arguments.epochs)
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
    _say_photos(photos, progress)
    progress.say(f"goes on after epoch {folder.trained_epochs}, up to epoch {config.max_epochs}")
    return folder, config, photos


def _check_same(arguments: argparse.Namespace, folder: TrainFolder) -> None:
    """What would change the result cannot be changed when a training goes on."""
    if arguments.force:
        raise InputError(
            "--resume keeps what --out holds, but got --force, too; leave one of them out"
        )
    origin, settings, config = folder.origin, folder.settings, folder.config
    if arguments.by is not None:
        raise InputError(
            f"a resumed training keeps its trial ({origin.trial_id}), but got --by {arguments.by}; "
            "leave the flag out, or train to another --out"
        )
    trial = arguments.trial
    if trial is not None and re.fullmatch(r"\d+", trial):
        trial = trial.zfill(4)
    asked = (
        ("--from", arguments.source and str(arguments.source.resolve()), origin.folder),
        ("--trial", trial, origin.trial_id),
        ("--image-size", arguments.image_size, settings.image_size),
        ("--images", arguments.images, config.images),
        ("--restart", arguments.restart or None, origin.continued_after == 0),
        (
            "--smooth-upsampling",
            arguments.smooth_upsampling or None,
            settings.smooth_upsampling,
        ),
    )
    for flag, value, kept in asked:
        if value is not None and value != kept:
            raise InputError(
                f"a resumed training keeps its {flag} ({kept}), but got {value}; leave the flag "
                "out, or train to another --out"
            )


def _train(
    folder: TrainFolder,
    config: SearchConfig,
    photos: SearchPhotos,
    time_budget_sec: float | None,
    progress: Progress,
) -> int:
    from search.finetune.train import resume_command, train
    from search.finetune.training_progress import TrainProgress
    from search.run.storage_errors import describe, halts

    folder.run.lock()
    try:
        folder.configure(config, photos)
        folder.run.set_status("running")
        row = train(
            folder,
            photos.caches[config.image_size],
            time_budget_sec=time_budget_sec,
            progress=TrainProgress(progress),
        )
        progress.say(_ended(row, config))
        folder.publish()
        folder.run.set_status("finished")
    except KeyboardInterrupt:
        folder.run.note_status("interrupted")
        progress.say(f"interrupted; go on with: {resume_command(folder.out)}")
        return 130
    except OSError as error:
        folder.run.note_status("interrupted")
        if not halts(error, folder.out):
            raise
        progress.say(
            f"chromatune: the training halted: {describe(error)}; "
            f"then go on with: {resume_command(folder.out)}"
        )
        return 1
    except BaseException:
        folder.run.note_status("failed")
        raise
    finally:
        folder.run.close()
    if row["state"] != "complete":
        progress.say(f"go on with: {resume_command(folder.out)}")
    progress.say(f"wrote the generator of epoch {row['best_epoch']} to {folder.out}")
    return 0


def _ended(row: Mapping[str, Any], config: SearchConfig) -> str:
    broken = describe_broken_guards(config.make_objective().guards, row)
    guard = f", but its colours fail the guards: {broken}" if broken else ""
    return (
        f"{row['reason'] or 'done'}: {row['epochs']} of {config.max_epochs} epochs; best "
        f"{config.objective} {row[config.objective]:.4g} at epoch {row['best_epoch']}{guard}"
    )


def _say_photos(photos: SearchPhotos, progress: Progress) -> None:
    from search.run.photos import describe_photos

    progress.say(describe_photos(photos.summary))


def _check_device(config: SearchConfig, precision: Any) -> None:
    from models.training.device import resolve_compute

    resolve_compute(config.device, precision)
