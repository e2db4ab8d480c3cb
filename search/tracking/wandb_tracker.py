"""A search in W&B: a group of runs, one for the search and one for each trial.

Ray's own callback starts a process for each trial, begins new runs whenever a search is resumed,
and stops a search whose key is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import wandb

from search.tracking.followed_run import NOTES
from search.tracking.tracker import (
    PROJECT,
    Scalar,
    TrackedEnd,
    TrackedEpoch,
    TrackedSearch,
    TrackedTrial,
)

#: how long the end of a run waits for what is still to be uploaded; it stays on the disk besides
UPLOAD_SEC = 60.0


class WandbTracker:
    """Sends to the project of WANDB_PROJECT, else "chromatune"; or keeps it, if WANDB_MODE=offline.

    Its files are in `tracking/wandb` of the run's folder, unless WANDB_DIR names another place.
    """

    def __init__(self) -> None:
        #: trial -> its run
        self._runs: dict[str, wandb.Run] = {}
        self._search_run: wandb.Run | None = None
        self._late = False

    def connect(self, search: TrackedSearch) -> None:
        """Go on with the run of the search, or make it."""
        self._search = search
        self._online = os.environ.get("WANDB_MODE", "online") in ("online", "shared")
        # It must never ask for a key: nobody may be there.
        if self._online and not wandb.login(prompt=False):
            raise RuntimeError("not logged in: run `wandb login`, or set WANDB_MODE=offline")
        self._search_run = self._open(search.identity, search.name, "search", search.parameters)

    def start(self, trial: TrackedTrial) -> None:
        """Go on with the run of a trial, or make it."""
        self._runs[trial.trial_id] = self._open(
            f"{self._search.identity}-{trial.trial_id}",
            f"{self._search.name} {trial.trial_id}",
            "trial",
            trial.parameters,
        )

    def epoch(self, trial_id: str, epoch: TrackedEpoch) -> None:
        """Keep an epoch of a trial that was started; W&B passes over steps that it has."""
        self._runs[trial_id].log(dict(epoch.values), step=epoch.step)

    def end(self, trial_id: str, end: TrackedEnd) -> None:
        """Keep how a trial that was started has ended."""
        run = self._runs[trial_id]
        if end.pictures:
            pictures = {path.stem: wandb.Image(str(path)) for path in end.pictures}
            run.log(pictures, step=end.step)
        run.summary.update({**end.values, **end.texts})
        del self._runs[trial_id]
        self._finish(run, failed=end.state == "failed")

    def bundle(self, folder: Path) -> None:
        """Keep the search's best generator, as the next version of its artifact."""
        assert self._search_run is not None
        artifact = wandb.Artifact(f"{self._search.name}-bundle", type="model")
        artifact.add_dir(str(folder))
        self._search_run.log_artifact(artifact)

    def close(self, *, finished: bool) -> None:
        """End the run of the search, and those of trials that are to go on another time."""
        for run in self._runs.values():
            self._finish(run, failed=True)
        if self._search_run is not None:
            self._finish(self._search_run, failed=not finished)
        if self._late:
            raise RuntimeError(f"not all was uploaded within {UPLOAD_SEC:.0f} s: run `wandb sync`")

    def _open(
        self, entry: str, name: str, kind: str, parameters: Mapping[str, Scalar]
    ) -> wandb.Run:
        own_place = "WANDB_DIR" in os.environ
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=entry,
            name=name,
            group=self._search.name,
            job_type=kind,
            dir=None if own_place else str(self._search.folder / NOTES),
            resume="allow" if self._online else None,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                # Trials run in other processes, maybe on other machines.
                x_disable_stats=True,
                disable_git=True,
                disable_code=True,
                finish_timeout=UPLOAD_SEC,
                finish_timeout_raises=True,
            ),
        )
        run.config.update(dict(parameters), allow_val_change=True)  # type: ignore[no-untyped-call,unused-ignore]
        return run

    def _finish(self, run: wandb.Run, *, failed: bool) -> None:
        try:
            run.finish(exit_code=int(failed))
        except TimeoutError:
            self._late = True
