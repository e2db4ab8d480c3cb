"""A training from Python: what `chromatune train` does, for programs and notebooks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from search import interrupts
from search.finetune.train_session import MPS_FALLBACK, Trained, TrainRequest, TrainSession
from search.progress.display import Progress

if TYPE_CHECKING:
    from models.training.report import EpochReport
    from search.config import DeviceName
    from search.finetune.trial_choice import By


def train(
    run: str | Path | None = None,
    *,
    out: str | Path,
    trial: str | None = None,
    by: By | None = None,
    epochs: int | None = None,
    image_size: int | None = None,
    images: str | Path | None = None,
    device: DeviceName | None = None,
    time_budget_sec: float | None = None,
    restart: bool = False,
    smooth_upsampling: bool = False,
    resume: bool = False,
    force: bool = False,
    on_epoch: Callable[[EpochReport], None] | None = None,
    quiet: bool = False,
) -> Trained:
    """Train a trial's configuration at full length and size, to a bundle; or go on with that.

    At the trial's image size and on its photos it goes on from the trial's last epoch, else it
    begins with fresh weights (docs/train.md).

    Args:
        run: the folder of a run, or of a bundle that was trained like this.
        out: where the bundle goes; must not exist unless `resume` or `force`.
        trial: the trial's id; None takes the winner.
        by: which winner: "colour" (None, too) is the trial with the best colours, "balance" the
            one with the best balance, rank 1 of the leaderboard.
        epochs: in all, the trial's included; None: 3 times those of the search.
        image_size: pixels a side, a multiple of 32; None: the trial's. The discriminator's width
            is adapted so that the ratio of parameters stays.
        images: other photos than those of the run.
        device: None: that of the run.
        time_budget_sec: end, and export, after the epoch in which it passes.
        restart: begin with fresh weights.
        smooth_upsampling: against a pixelated look: blur the generator's upsampling; begins with
            fresh weights.
        resume: go on with the training in `out`; `run` may be left out.
        force: replace an existing bundle or training.
        on_epoch: called with what each epoch reports. An exception ends the training, which stays
            resumable, and is raised here.
        quiet: show no progress on standard error.

    Raises:
        InputError: it cannot be trained like this; nothing has changed.
        KeyboardInterrupt: interrupted; the training can be resumed.
        SearchHaltedError: `out` cannot be written any more.
        TrainingFailedError: the training has diverged; the message says how to keep its best
            epoch.
    """
    request = TrainRequest(
        out=Path(out),
        source=None if run is None else Path(run),
        trial=trial,
        by=by,
        epochs=epochs,
        image_size=image_size,
        images=None if images is None else str(images),
        device=device,
        time_budget_sec=time_budget_sec,
        restart=restart,
        smooth_upsampling=smooth_upsampling,
        resume=resume,
        force=force,
    )
    os.environ.setdefault(*MPS_FALLBACK)
    console = Console(
        file=sys.stderr, highlight=False, soft_wrap=True, quiet=quiet, force_jupyter=False
    )
    with interrupts.installed(interrupts.of_caller()), Progress(console) as progress:
        progress.wait_for("starting")
        session = TrainSession.open(request, progress, command=["chromatune.train"])
        progress.wait_for("starting the training")
        return session.run(progress, on_epoch)
