"""What `chromatune train` is to do: decided, or refused, before photos are touched."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.stored_run.run import Run, open_run
from data_pipeline.cache.build import CROPS_SUFFIX
from data_pipeline.errors import InputError
from models.file_names import PARAMETERS
from models.networks.complexity import nearest_discriminator_width
from models.networks.sides import check_side
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.finetune.origin import Origin, Pair
from search.finetune.trial_choice import By, chosen_trial, reason_of
from search.run.directory import is_being_written, read_json
from search.space import NAMES

#: a search's trials are short; by default a training is so many times as long
FULL_LENGTH = 3
#: what a training takes over from the configuration of the search
_KEPT = (
    "images",
    "fit",
    "device",
    "objective",
    "guards",
    "validation_fraction",
    "max_validation_photos",
)


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """A training to start."""

    origin: Origin
    settings: TrainingSettings
    #: the configuration of a run of this one trial
    config: SearchConfig
    #: data.json of the search
    data: dict[str, Any]
    #: why the training begins with fresh weights; None: it goes on from the trial's last epoch
    fresh: str | None
    #: `--images` was given
    other_images: bool

    @property
    def trial_folder(self) -> Path:
        """The folder of the trial in the run it comes from."""
        return Path(self.origin.folder) / "trials" / self.origin.trial_id

    def on_photos(self, cache: Path) -> TrainPlan:
        """The plan for the photos in the folder `cache`: a training goes on with equal ones only.

        Raises InputError when the photos of the run have changed, or no epoch is left to train.
        """
        if self.fresh is not None:
            return self
        before = (self.data.get("cache") or {}).get(str(self.settings.image_size)) or ""
        # A cache is named by the contents of its photos and how they were prepared.
        if cache.name.removesuffix(CROPS_SUFFIX) != Path(before).name.removesuffix(CROPS_SUFFIX):
            if not self.other_images:
                raise InputError(
                    f"trial {self.origin.trial_id} must go on with the photos it was trained on, "
                    f"but {self.config.images} has changed since; use --restart to begin with "
                    "fresh weights"
                )
            return replace(
                self,
                origin=replace(self.origin, continued_after=0),
                fresh="its photos are not those of --images",
            )
        _check_longer(self.origin.trial_id, self.origin.continued_after, self.config.max_epochs)
        return self

    def lines(self) -> list[str]:
        """What is going to happen, for people."""
        origin, config = self.origin, self.config
        if self.fresh is None:
            first = (
                f"trial {origin.trial_id} of {origin.run} goes on after epoch "
                f"{origin.continued_after}, up to epoch {config.max_epochs}"
            )
        else:
            first = (
                f"trial {origin.trial_id} of {origin.run} begins again with fresh weights "
                f"({self.fresh}), up to epoch {config.max_epochs}"
            )
        found, now = origin.found, Pair.of(self.settings)
        if found.image_size == now.image_size:
            return [first]
        second = (
            f"discriminator width: {found.discriminator_complexity} at {found.image_size} pixels, "
            f"{now.discriminator_complexity} at {now.image_size}; parameter ratio "
            f"{found.parameter_ratio:.3g} becomes {now.parameter_ratio:.3g}, without the last "
            f"layer {found.conv_parameter_ratio:.3g} becomes {now.conv_parameter_ratio:.3g}"
        )
        return [first, second]


def plan_training(
    folder: Path,
    *,
    trial: str | None = None,
    by: By = "colour",
    epochs: int | None = None,
    image_size: int | None = None,
    images: str | None = None,
    device: str | None = None,
    restart: bool = False,
    smooth_upsampling: bool = False,
) -> TrainPlan:
    """Decide what to train, and from which weights.

    Args:
        folder: the folder of the run to take the configuration from.
        trial: the trial's id; None takes the winner.
        by: which winner, see `trial_choice.By`.
        epochs: epochs in all, those of the trial included; None: `FULL_LENGTH` times the search's.
        image_size: pixels a side; None keeps the trial's.
        images: photos to train on; None: those of the run.
        device: None: that of the run.
        restart: begin with fresh weights in any case.
        smooth_upsampling: blur what the generator's transposed convolutions make.

    Raises InputError when the trial does not exist or cannot be trained like this.
    """
    run = open_run(folder)
    if image_size is not None:
        check_side(image_size, "--image-size")
    if epochs is not None and epochs < 1:
        raise InputError(f"--epochs must be at least 1, but got {epochs}")
    row = chosen_trial(run, trial, by=by, command="train")
    trial_id: str = row["trial_id"]
    trial_folder = folder / "trials" / trial_id
    searched = TrainingSettings.from_dict(read_json(trial_folder / PARAMETERS))
    settings = resized(searched, image_size or searched.image_size)
    if smooth_upsampling:
        settings = replace(settings, smooth_upsampling=True)
    _check_state(row, folder, same_settings=settings == searched)
    config = _config_of(run, trial_id, settings, epochs=epochs, images=images, device=device)
    fresh, trained = None, 0
    if restart:
        fresh = "--restart"
    elif settings.image_size != searched.image_size:
        fresh = f"{settings.image_size} pixels instead of {searched.image_size}"
    elif settings != searched:
        fresh = "--smooth-upsampling"
    else:
        # Not before: what needs no checkpoint is decided, or refused, without loading torch.
        from models.training.trial import epochs_to_go_on_from

        trained = epochs_to_go_on_from(trial_folder)
        if not trained:
            fresh = "the search kept no state of it to go on from"
        elif images is None:
            _check_longer(trial_id, trained, config.max_epochs)
    return TrainPlan(
        origin=Origin(
            folder=str(folder.resolve()),
            run=run.name,
            trial_id=trial_id,
            found=Pair.of(searched),
            continued_after=trained,
        ),
        settings=settings,
        config=config,
        data=run.data,
        fresh=fresh,
        other_images=images is not None,
    )


def resized(settings: TrainingSettings, image_size: int) -> TrainingSettings:
    """`settings` at another image size, with the parameter ratio kept as well as widths allow.

    The discriminator's last layer grows with the area of the photos, so at a larger size a
    narrower discriminator has the same ratio of parameters, discriminator over generator. The
    generator keeps its width: it does not depend on the size.
    """
    if image_size == settings.image_size:
        return settings
    width = nearest_discriminator_width(
        Pair.of(settings).parameter_ratio,
        generator_complexity=settings.generator_complexity,
        image_size=image_size,
    )
    return replace(settings, image_size=image_size, discriminator_complexity=width)


def _config_of(
    run: Run,
    trial_id: str,
    settings: TrainingSettings,
    *,
    epochs: int | None,
    images: str | None,
    device: str | None,
) -> SearchConfig:
    """The configuration of a run that holds this one trial, so that all commands can read it."""
    kept = {key: run.config[key] for key in _KEPT if key in run.config}
    asked = {"images": images, "device": device}
    searched_epochs = run.config.get("max_epochs") or SearchConfig(name="default").max_epochs
    return SearchConfig.from_dict(
        {
            **kept,
            **{key: value for key, value in asked.items() if value is not None},
            "name": re.sub(r"[^A-Za-z0-9._-]|^[^A-Za-z0-9]", "x", run.name)[:90] + f"-{trial_id}",
            "trials": 1,
            "max_epochs": epochs or FULL_LENGTH * int(searched_epochs),
            "image_size": settings.image_size,
            "batch_size": settings.batch_size,
            "known_points": False,
            "space": {k: value for k, value in settings.to_dict().items() if k in NAMES},
        }
    )


def _check_state(row: dict[str, Any], folder: Path, *, same_settings: bool) -> None:
    trial_id = row["trial_id"]
    if row["state"] == "running" and is_being_written(folder):
        raise InputError(
            f"--trial must have ended, but a search is training trial {trial_id}; wait for it or "
            "interrupt it"
        )
    reason = reason_of(row) or ""
    diverged = re.match(r"non-finite loss|\w+ was (nan|-?inf|None) after an epoch", reason)
    if row["state"] == "failed" and diverged and same_settings:
        raise InputError(
            f"--trial must not have diverged, but trial {trial_id} failed ({reason}) and would do "
            "so again; choose another one, or another --image-size"
        )


def _check_longer(trial_id: str, trained: int, epochs: int) -> None:
    if epochs <= trained:
        raise InputError(
            f"--epochs must be above the {trained} that trial {trial_id} has trained already, but "
            f"got {epochs}; use a larger number, --restart, or `chromatune export` as it is"
        )
