"""One session of a search: it begins a run or goes on with one, and leaves it resumable.

The command line and `search.api` are built on it. Heavy packages are imported when it runs, so
that bad input is answered at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from analysis.stored_run.run_files import without_credentials
from data_pipeline.errors import InputError
from search.addresses import without_password
from search.config import SearchConfig, load_yaml
from search.ready_searches import find_config
from search.run.directory import RunFolder
from search.run.remote_storage import RemoteStorage, open_remote_storage
from search.run.sync import RunSync
from search.study.storage import check_free
from search.tracking.tracker import check_trackers

if TYPE_CHECKING:
    from search.progress.display import Progress
    from search.run.ledger import Ledger
    from search.run.photos import SearchPhotos

#: what a resumed search may change: none of it alters the result of a trial
CHANGEABLE = (
    "trials",
    "concurrency",
    "device",
    "trials_per_gpu",
    "time_budget_sec",
    "finalists",
    "repeats",
    "log",
)
#: configuration keys whose value may hold a secret, and how it is shown and stored
BARE = {"storage": without_password, "results": without_credentials}


def new_config(file: Path | None, settings: Mapping[str, Any]) -> SearchConfig:
    """The configuration of a new search: `settings` over those of a YAML file or ready search.

    Raises InputError for what no search can be made of.
    """
    values: dict[str, Any] = load_yaml(find_config(file)) if file else {}
    values.setdefault("test_fraction", SearchConfig.test_fraction)
    values.setdefault("name", datetime.now().strftime("%Y-%m-%d-%H%M%S"))
    for name, value in settings.items():
        values[name] = value
        space = values.get("space")
        if (
            name != "space"
            and isinstance(space, dict)
            and name in space
            and name not in (settings.get("space") or {})
        ):
            # What a person asks for at this moment is nearer to them than the file.
            values["space"] = {key: item for key, item in space.items() if key != name}
    return SearchConfig.from_dict(values)


def resumed_config(run: RunFolder, changes: Mapping[str, Any]) -> SearchConfig:
    """The configuration of a search that goes on with `changes`.

    Raises InputError when a change would alter the results of trials.
    """
    config = SearchConfig.from_dict(run.read_config())
    valid = {field.name for field in dataclasses.fields(config)}
    for name, value in changes.items():
        if name in valid and value == getattr(config, name):
            continue
        bare = BARE.get(name, lambda text: text)
        kept = getattr(config, name, None)
        if name not in CHANGEABLE and (name not in BARE or bare(value) != kept):
            raise InputError(
                f"a resumed search keeps its {name} ({kept}), but got {bare(value)}; "
                "leave it out or start a new run"
            )
        config = dataclasses.replace(config, **{name: value})
    return config


@dataclass(frozen=True, kw_only=True)
class SearchSession:
    """A search that can run: what could be checked before anything is written is checked."""

    folder: RunFolder
    config: SearchConfig
    #: what run.json says a new run was started with; None: the session goes on with a run
    command: list[str] | None
    #: of a Ray cluster
    address: str | None
    #: where a copy of the run goes
    place: RemoteStorage | None

    @classmethod
    def begin(
        cls, config: SearchConfig, *, runs_dir: Path, command: list[str], address: str | None
    ) -> Self:
        """A new run in `runs_dir`; raises InputError when there is one of that name."""
        folder = RunFolder(runs_dir / config.name)
        folder.check_absent()
        if config.storage is not None:
            check_free(config.storage, config.name)
        return cls._checked(folder, config, command=command, address=address)

    @classmethod
    def resume(cls, folder: Path, changes: Mapping[str, Any], *, address: str | None) -> Self:
        """Go on with the run in `folder`; raises InputError when there is none."""
        run = RunFolder(folder)
        run.check_present()
        return cls._checked(run, resumed_config(run, changes), command=None, address=address)

    @classmethod
    def _checked(
        cls,
        folder: RunFolder,
        config: SearchConfig,
        *,
        command: list[str] | None,
        address: str | None,
    ) -> Self:
        check_trackers(config.log)
        place = None
        if config.results is not None:
            place = open_remote_storage(config.results, config.name, new=command is not None)
        if address is None and config.device in ("cuda", "mps"):
            from models.training.device import resolve_compute

            resolve_compute(config.device)
        return cls(folder=folder, config=config, command=command, address=address, place=place)

    @property
    def resumable(self) -> bool:
        """Whether the run is on the disk, so that another session can go on with it."""
        return (self.folder.path / "run.json").is_file()

    def run(
        self, progress: Progress, *, opening: str | None = None, graceful: bool = False
    ) -> Ledger:
        """Run the search to its end; `opening` is shown once it is sure that it begins.

        `graceful`: an interruption ends the trials before it returns, for the session of Ray of a
        caller that goes on; else ending Ray ends them.

        Raises KeyboardInterrupt when interrupted and SearchHaltedError when the run's folder or its
        study cannot be written, both with the run left resumable, and AllTrialsFailedError when no
        trial came to a result.
        """
        with self._cluster():
            if opening is not None:
                progress.say(opening)
            photos = self._photos(progress)
            if self.command is not None:
                self.folder.create(self.config.to_dict(), command=self.command, data=photos.summary)
            self.folder.lock()
            progress.wait_for("starting Ray")
            place = self.place
            try:
                with RunSync(self.folder.path, place, progress.say) if place else nullcontext():
                    return self._run_trials(photos, progress, graceful)
            finally:
                self.folder.close()

    def _trackers(self, progress: Progress) -> AbstractContextManager[object]:
        if not self.config.log:
            return nullcontext()
        from search.tracking.delivery import Tracking

        return Tracking(self.config.log, self.folder.path, progress.say)

    def _cluster(self) -> AbstractContextManager[None]:
        if self.address is None:
            return nullcontext()
        # Before anything is written; it is the cluster that needs the device, not this machine.
        from search.tune.ray_session import ray_session

        return ray_session(self.address, self.config.device)

    def _photos(self, progress: Progress) -> SearchPhotos:
        from search.run.photos import describe_photos, prepare_photos, reopen_photos

        with progress.photos() as on_photo:
            if self.command is None:
                photos = reopen_photos(self.folder, self.config, progress=on_photo)
            else:
                photos = prepare_photos(self.config, progress=on_photo)
        progress.say(describe_photos(photos.summary))
        return photos

    def _run_trials(self, photos: SearchPhotos, progress: Progress, graceful: bool) -> Ledger:
        from search.run.storage_errors import SearchHaltedError, describe, halts

        run = self.folder
        try:
            run.configure(self.config.to_dict(), photos.summary)
            run.set_status("running")
            with self._ray() as ray:  # also when the study cannot be opened
                return self._train(ray, photos, progress, graceful)
        except (KeyboardInterrupt, SearchHaltedError):
            run.note_status("interrupted")
            raise
        except OSError as error:
            run.note_status("interrupted")
            if not halts(error, run.path):
                raise
            raise SearchHaltedError(describe(error)) from error
        except BaseException:
            run.note_status("failed")
            raise

    def _ray(self) -> ExitStack:
        """Ray for a new run on this machine, which starts while Torch is imported; ends by `close`.

        A run that goes on may have nothing left to train: the driver starts Ray when it has.
        """
        stack = ExitStack()
        if self.command is not None and self.address is None:
            from search.tune.ray_session import ray_session

            stack.enter_context(ray_session(None, self.config.device))
        return stack

    def _train(
        self, ray: ExitStack, photos: SearchPhotos, progress: Progress, graceful: bool
    ) -> Ledger:
        from search.run.ledger import Ledger
        from search.study.creation import open_study
        from search.tune.driver import run_search

        run, config = self.folder, self.config
        ledger = Ledger(run, open_study(run.study_path, config), config)
        with self._trackers(progress):
            # Nothing may write to the trials' folders when trackers look for the last time.
            with ray:
                run_search(
                    run,
                    config,
                    ledger,
                    photos,
                    address=self.address,
                    progress=progress,
                    graceful=graceful,
                )
            progress.wait_for("measuring the winners on the test photos")
            # Imported now: until here trials wait for what is imported first.
            from search.finetune.unseen_winners import measure_winners

            measure_winners(run)
            progress.stop_waiting()
            run.set_status("finished")
        return ledger
