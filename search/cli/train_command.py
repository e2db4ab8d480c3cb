"""`chromatune train`: train a trial's configuration on to full length and size, to a bundle."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from search.cli.results_commands import add_trial_flags
from search.cli.search_command import parse_duration
from search.config import DEVICE_NAMES
from search.finetune.train_session import MPS_FALLBACK, TrainRequest, TrainSession
from search.run.storage_errors import SearchHaltedError


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
        "--from",
        dest="source",
        type=Path,
        metavar="RUN",
        help="the folder of a run, or of an earlier training",
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

    os.environ.setdefault(*MPS_FALLBACK)
    request = TrainRequest(
        **{field.name: getattr(arguments, field.name) for field in dataclasses.fields(TrainRequest)}
    )
    with Progress() as progress:
        progress.wait_for("starting")
        command = ["chromatune", *arguments.words]
        session = TrainSession.open(request, progress, command=command)
        progress.wait_for("starting the training")
        try:
            session.run(progress)
        except KeyboardInterrupt:
            progress.say(f"interrupted; go on with: {session.resume_command}")
            return 130
        except SearchHaltedError as error:
            progress.say(f"chromatune: {error}")
            return 1
    return 0
