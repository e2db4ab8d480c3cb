"""A search from Python: what `chromatune search` does, for programs and notebooks.

    from search import Search

    search = Search(images="photos", trials=40, max_epochs=14, space={"dropout": 0.3})
    run = search.run(on_epoch=lambda trial_id, report: print(trial_id, report.metrics["ab_swd"]))
    run.leaderboard()

It leaves the caller's session of Ray, handlers of signals, standard output and `sys.argv` as they
were.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

from rich.console import Console

from search import interrupts
from search.config import DeviceName
from search.progress.display import Progress
from search.run.storage_errors import SearchHaltedError
from search.session import SearchSession, new_config
from search.steering.verbs import enqueue, stop_search, stop_trial

if TYPE_CHECKING:
    from analysis.results import RunResults
    from models.training.report import EpochReport
    from search.run.ended_trials import EndedTrial
    from search.tune.messages import EpochDone


class SearchSettings(TypedDict, total=False):
    """The settings of a search; `search.config.SearchConfig` says what each of them means."""

    name: str
    images: str
    trials: int
    max_epochs: int
    image_size: int
    batch_size: int
    fit: Literal["crop", "squash"]
    concurrency: int | None
    device: DeviceName
    trials_per_gpu: int | Literal["auto"]
    time_budget_sec: float | None
    seed: int
    objective: str
    second_objectives: Sequence[str]
    guards: Sequence[str]
    validation_fraction: float
    test_fraction: float
    max_validation_photos: int
    max_retries: int
    known_points: bool
    points: Sequence[Mapping[str, Any]]
    finalists: int
    repeats: int
    patience_trials: int | None
    early_stopping: dict[str, Any]
    storage: str | None
    results: str | None
    log: str | Sequence[str]
    space: dict[str, Any]


class Search:
    """A search that can be run, interrupted and run on."""

    def __init__(
        self,
        *,
        config: str | Path | None = None,
        runs_dir: str | Path = "runs",
        address: str | None = None,
        **settings: Unpack[SearchSettings],
    ) -> None:
        """Describe a new search; nothing is written before `run`.

        Args:
            config: a YAML file, or the name of a ready search such as "quality".
            runs_dir: the folder in which the run gets its own.
            address: a Ray cluster ("auto", "HOST:PORT"); None: this machine, or the session of Ray
                that is open already.
            settings: nearer than those of `config`.

        Raises InputError for settings that no search can have, and for a name that is taken.
        """
        self._address = address
        self._session = SearchSession.begin(
            new_config(None if config is None else Path(config), settings),
            runs_dir=Path(runs_dir),
            command=["chromatune.Search"],
            address=address,
        )

    @classmethod
    def resume(
        cls,
        run: str | Path,
        *,
        address: str | None = None,
        **changes: Unpack[SearchSettings],
    ) -> Self:
        """Go on with an interrupted search, or extend one that has finished (`trials=60`).

        `changes` may name trials, concurrency, device, trials_per_gpu, time_budget_sec, finalists,
        repeats and log; InputError for others, and when `run` is not the folder of a run.
        """
        search = cls.__new__(cls)
        search._address = address
        search._session = SearchSession.resume(Path(run), changes, address=address)
        return search

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._session.folder.path

    def run(
        self,
        *,
        on_epoch: Callable[[str, EpochReport], None] | None = None,
        on_trial: Callable[[EndedTrial], None] | None = None,
        quiet: bool = False,
    ) -> RunResults:
        """Run the search to its end and open its run; after an interruption: go on with it.

        Args:
            on_epoch: called with a trial's id and what it reports after each epoch.
            on_trial: called when a trial has ended. An exception of either halts the search, which
                stays resumable, and is raised here.
            quiet: show no progress on standard error.

        Raises:
            InputError: the photos, the device or the cluster are not as they must be.
            KeyboardInterrupt: interrupted; the run is left resumable, as is `run` itself.
            SearchHaltedError: the disk is full, or the study's database is away.
            AllTrialsFailedError: no trial came to a result.
        """
        from analysis.results import open_run

        if self._session.resumable and self._session.command is not None:
            self._session = SearchSession.resume(self.path, {}, address=self._address)
        console = Console(file=sys.stderr, highlight=False, soft_wrap=True, quiet=quiet,
                          force_jupyter=False)  # fmt: skip
        with (
            interrupts.installed(interrupts.of_caller()),
            _ObservedProgress(console, on_epoch, on_trial) as progress,
        ):
            try:
                self._session.run(progress, graceful=True)
            except SearchHaltedError:
                if progress.error is not None:
                    raise progress.error from None
                raise
        return open_run(self.path)

    def stop(self, trial_id: str | None = None) -> None:
        """End the search, or one trial after its epoch; for a callback or another thread.

        Raises InputError when it does not run.
        """
        if trial_id is None:
            stop_search(self.path)
        else:
            stop_trial(self.path, trial_id)

    def enqueue(self, **values: Any) -> None:
        """Let the next trial train these values; see `search.steering.verbs.enqueue`."""
        enqueue(self.path, values)


class _ObservedProgress(Progress):
    """Progress that also calls back, with standard output as the caller has it."""

    def __init__(
        self,
        console: Console,
        on_epoch: Callable[[str, EpochReport], None] | None,
        on_trial: Callable[[EndedTrial], None] | None,
    ) -> None:
        super().__init__(console)
        self._on_epoch, self._on_trial = on_epoch, on_trial
        self._stdout = sys.stdout
        #: what a callback raised
        self.error: Exception | None = None

    def on_epoch(self, trial_id: str, message: EpochDone) -> None:
        """A trial validated an epoch."""
        super().on_epoch(trial_id, message)
        self._call(self._on_epoch, trial_id, message.report)

    def on_end(self, ended: EndedTrial) -> None:
        """A trial ended."""
        super().on_end(ended)
        self._call(self._on_trial, ended)

    def _call(self, callback: Callable[..., None] | None, *what: object) -> None:
        if callback is None:
            return
        try:
            with redirect_stdout(self._stdout):
                callback(*what)
        except Exception as error:
            self.error = error
            raise
