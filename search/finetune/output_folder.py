"""The folder of a training: a bundle, and in `training/` a run of one trial that can go on.

While it trains, `training/` alone is written; the bundle's files come at the end. `training/` has
the layout of a run's folder, so `leaderboard`, `report` and `export` read it like any other.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from data_pipeline.durable import make_folder, move_folder, sync_folder
from data_pipeline.errors import InputError
from models.file_names import CURVES, OF_TRAINING, PARAMETERS, VALIDATION
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.finetune.origin import ORIGIN_NAME, Origin
from search.finetune.plan import TrainPlan
from search.run.directory import RunFolder, is_being_written, read_json, read_rows, write_json
from search.run.photos import SearchPhotos

TRAINING = "training"
_CARRIED_OVER = (*OF_TRAINING, CURVES, VALIDATION)


class TrainFolder:
    """Creates or reopens the folder of a training."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.run = RunFolder(out / TRAINING)

    @property
    def origin(self) -> Origin:
        """The run and trial that the training carries on."""
        return Origin.read(self.run.path / ORIGIN_NAME)

    @property
    def trial_folder(self) -> Path:
        """The folder of the one trial."""
        return self.run.trial_folder(self.origin.trial_id)

    @property
    def settings(self) -> TrainingSettings:
        """What is trained."""
        return TrainingSettings.from_dict(read_json(self.trial_folder / PARAMETERS))

    @property
    def trained_epochs(self) -> int:
        """How many epochs are trained and written down."""
        validations = read_rows(self.trial_folder / VALIDATION)
        return int(validations[-1]["epoch"]) if validations else 0

    @property
    def config(self) -> SearchConfig:
        """The configuration of the training's run."""
        return SearchConfig.from_dict(self.run.read_config())

    def check_absent(self, *, force: bool) -> None:
        """Raise InputError unless a training may begin here.

        An existing folder is taken only with `force`, and only when it holds nothing but a bundle
        and a training that no process carries on.
        """
        if not self.out.exists():
            return
        if not self.out.is_dir():
            raise InputError(f"the training's folder must be new, but {self.out} is a file")
        if not force:
            raise InputError(
                f"the training's folder must be new, but {self.out} exists; name another, go on "
                "with it by --resume, or use --force"
            )
        # Late, here and below: torch is loaded only once a training is known to make sense.
        from models.bundle.store import KNOWN_NAMES

        names = {entry.name for entry in self.out.iterdir()}
        if strangers := sorted(names - {*KNOWN_NAMES, TRAINING}):
            raise InputError(
                f"only a bundle or a training can be overwritten, but {self.out} also holds "
                f"{strangers[0]!r}; name another folder"
            )
        if TRAINING in names:
            if not (self.run.path / ORIGIN_NAME).is_file():
                raise InputError(
                    f"only a training can be overwritten, but {self.run.path} has no "
                    f"{ORIGIN_NAME}; name another folder"
                )
            if is_being_written(self.run.path):
                raise InputError(
                    f"only a training that stands still can be overwritten, but another process "
                    f"carries on {self.run.path}; wait for it or stop it"
                )

    def check_present(self) -> None:
        """Raise InputError unless there is a training to go on with."""
        if not (self.run.path / ORIGIN_NAME).is_file():
            raise InputError(
                f"--resume needs the folder of a training, but {self.out} has no "
                f"{TRAINING}/{ORIGIN_NAME}; leave --resume out to start one"
            )

    def create(
        self, plan: TrainPlan, photos: SearchPhotos, *, command: list[str], force: bool
    ) -> None:
        """Make the folder, whole or not at all; durable. What a trial goes on from is copied."""
        self.check_absent(force=force)
        out = self.out.expanduser().resolve()
        staging = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
        try:
            _fill(RunFolder(staging / TRAINING), plan, photos, command=command)
            if out.exists():
                # An older bundle stays until the new one is whole.
                if (out / TRAINING).exists():
                    shutil.rmtree(out / TRAINING)
                move_folder(staging / TRAINING, out / TRAINING)
            else:
                move_folder(staging, out)
        except OSError as error:
            raise InputError(
                f"--out must be writable, but {self.out}: {error.strerror or error}"
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def configure(self, config: SearchConfig, photos: SearchPhotos) -> None:
        """Write what a resumed training may change: its length and device, where its cache lies."""
        self.run.configure(config.to_dict(), photos.summary)

    def publish(self) -> None:
        """Export the best epoch and put the bundle's files into the folder."""
        from models.bundle.generator_config import CONFIG_NAME
        from models.bundle.store import KNOWN_NAMES
        from search.finetune.export import export_trial

        for leftover in self.run.path.glob(".bundle.*"):  # of an export that was killed
            shutil.rmtree(leftover)
        staging = self.run.path / "bundle"
        export_trial(self.run.path, staging, trial=self.origin.trial_id, force=True)
        # Without its configuration a folder is no bundle: a kill in between leaves no mixture.
        (self.out / CONFIG_NAME).unlink(missing_ok=True)
        sync_folder(self.out)
        for name in sorted(KNOWN_NAMES, key=CONFIG_NAME.__eq__):
            if name == CONFIG_NAME:
                sync_folder(self.out)
            if (staging / name).exists():
                (staging / name).replace(self.out / name)
            else:
                (self.out / name).unlink(missing_ok=True)
        sync_folder(self.out)
        staging.rmdir()


def _fill(run: RunFolder, plan: TrainPlan, photos: SearchPhotos, *, command: list[str]) -> None:
    trial_folder = run.trial_folder(plan.origin.trial_id)
    make_folder(trial_folder)
    if plan.fresh is None:
        for name in _CARRIED_OVER:
            if (plan.trial_folder / name).is_file():
                shutil.copyfile(plan.trial_folder / name, trial_folder / name)
    write_json(trial_folder / PARAMETERS, plan.settings.to_dict())
    plan.origin.write(run.path / ORIGIN_NAME)
    run.begin(plan.config.to_dict(), command=command, data=photos.summary, name=plan.config.name)
