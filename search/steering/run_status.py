"""How a search stands, from the files of its run alone: `chromatune status`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.report.live_state import LiveState, Slot
from analysis.stored_run.run import Run, open_run
from models.training.epoch_progress import read_progress
from search.finetune.origin import ORIGIN_NAME, resume_training
from search.progress.time_left import rough
from search.run.directory import is_being_written, resume_command


@dataclass(frozen=True, kw_only=True)
class TrialStatus:
    """A trial that runs."""

    trial_id: str
    #: epoch, step and losses in a few words
    stage: str
    #: share of its epochs that are trained, 0 to 1
    done: float
    #: until all its epochs are trained, if it is not stopped before; None: nobody can tell yet
    seconds_left: float | None

    @property
    def left(self) -> str:
        """The same for people; empty when nobody can tell."""
        return "" if self.seconds_left is None else f"about {rough(self.seconds_left)} to its end"


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A search or a training, or what was left of one."""

    name: str
    #: a search, or the training that `chromatune train` has made a run of
    kind: Literal["search", "training"]
    #: as in run.json; "gone" if its driver has died without a word
    status: str
    n_ended: int
    n_trials: int
    #: one for each slot that is taken
    running: tuple[TrialStatus, ...]
    #: which trials have the best colours and the best balance so far
    winners: str
    #: None without a time budget, or when the search does not run
    budget_left_sec: float | None
    #: goes on with the search
    resume: str

    @property
    def summary(self) -> str:
        """Its state, and how many trials have ended."""
        state = "interrupted without a word" if self.status == "gone" else self.status
        return f"{state}, {self.n_ended}/{self.n_trials} trials have ended"

    @property
    def notes(self) -> tuple[str, ...]:
        """The time that is left of the budget, and how to go on."""
        notes = []
        if self.budget_left_sec is not None:
            notes.append(f"time budget: about {rough(self.budget_left_sec)} left")
        if self.status in ("gone", "interrupted"):
            notes.append(f"go on with: {self.resume}")
        return tuple(notes)

    def to_text(self) -> str:
        """For people, one line for each fact."""
        slots = [
            f"  {trial.trial_id}  {trial.stage}" + (f"  {trial.left}" if trial.left else "")
            for trial in self.running
            if self.status == "running"
        ]
        lines = [f"{self.name}: {self.summary}", *slots, self.winners, *self.notes]
        return "".join(f"{line}\n" for line in lines)

    def to_live_state(self) -> LiveState:
        """For the page of `chromatune report --watch`, which names the winners itself."""
        running = self.status == "running"
        return LiveState(
            headline=self.summary if running else f"The {self.kind} has ended: {self.summary}",
            running=running,
            slots=tuple(
                Slot(trial.trial_id, trial.stage, trial.left, trial.done) for trial in self.running
            ),
            notes=self.notes,
        )


def run_status(path: Path, *, now: datetime) -> RunStatus:
    """Read how the search in the folder `path` stands at the moment `now`.

    Raises RunFolderError when it is no run.
    """
    run = open_run(path)
    alive = is_being_written(path)
    states = run.trials["state"].tolist()
    running = [
        _trial_status(run, path, trial_id)
        for trial_id, state in zip(run.trials["trial_id"], states, strict=True)
        if state == "running" and alive
    ]
    config = run.config
    repeats = int(config.get("finalists") or 0) * int(config.get("repeats") or 0)
    n_ended = sum(state != "running" for state in states)
    is_training = (path / ORIGIN_NAME).is_file()
    return RunStatus(
        name=run.name,
        kind="training" if is_training else "search",
        status="gone" if run.status == "running" and not alive else run.status,
        n_ended=n_ended,
        n_trials=max(int(config.get("trials") or 0) + repeats, len(states)),
        running=tuple(running),
        winners=winners(build_leaderboard(run), run.objective).why,
        budget_left_sec=_budget_left(run, now) if alive else None,
        resume=resume_training(path.parent) if is_training else resume_command(path),
    )


def _trial_status(run: Run, path: Path, trial_id: str) -> TrialStatus:
    max_epochs = int(run.config.get("max_epochs") or 1)
    validations = run.validation(trial_id)
    reported = int(validations[-1]["epoch"]) if validations else 0
    progress = read_progress(path / "trials" / trial_id)
    epoch = f"epoch {min(reported + 1, max_epochs)}/{max_epochs}"
    if progress is None:
        return TrialStatus(
            trial_id=trial_id,
            stage=epoch if reported else "starting",
            done=min(1.0, reported / max_epochs),
            seconds_left=None,
        )
    within = progress.epoch >= reported
    epochs = progress.epochs if within else float(reported)
    if validations:
        epoch_sec = float(validations[-1]["seconds"]) / reported
    else:
        ended = run.trials[run.trials["state"] != "running"]
        trained = ended["epochs"].sum() if "epochs" in ended else 0
        epoch_sec = float(ended["seconds"].sum() / trained) if trained else float("nan")
    left = (max_epochs - epochs) * epoch_sec
    return TrialStatus(
        trial_id=trial_id,
        stage=f"{epoch}  {progress.describe()}" if within else epoch,
        done=min(1.0, epochs / max_epochs),
        seconds_left=max(0.0, left) if left == left else None,
    )


def _budget_left(run: Run, now: datetime) -> float | None:
    budget = run.config.get("time_budget_sec")
    try:
        began = datetime.fromisoformat(run.info["session_started_at"])
    except (KeyError, TypeError, ValueError):
        return None
    if not isinstance(budget, int | float):
        return None
    return max(0.0, budget - (now - began).total_seconds())
