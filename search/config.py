"""The configuration of a search: frozen, typed, checked before data, Ray or a GPU is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

import yaml

from analysis.stored_run.run_files import without_credentials
from data_pipeline.errors import InputError
from models.metrics.names import DIRECTIONS
from models.metrics.objective import DEFAULT_GUARDS, DEFAULT_OBJECTIVE, Guard, Objective
from models.networks.sides import check_side
from search.addresses import check_remote_storage, database_url, without_password
from search.space import Point, SearchSpace
from search.tracking.tracker import TRACKERS

DeviceName = Literal["auto", "cuda", "mps", "cpu"]
DEVICE_NAMES: tuple[DeviceName, ...] = get_args(DeviceName)
FITS = ("crop", "squash")
_Nested = TypeVar("_Nested")
SYNTHETIC_SOURCE = "synthetic:600"
#: keys that earlier versions had, and why they are gone
_DROPPED = {"health": "its stops ended none of 33 recorded trainings"}


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Asynchronous successive halving (ASHA) on the objective."""

    enabled: bool = True
    #: epochs that every trial may train against its discriminator: which trial is ahead after
    #: fewer says little about the end (docs/search.md)
    grace_epochs: int = 4
    #: of so many trials that reach a rung, one goes on
    reduction_factor: int = 3


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Everything that a search needs to know."""

    #: name of the run, and of its folder and its study
    name: str
    #: a folder of photos, `kaggle:OWNER/NAME` or `synthetic:COUNT`
    images: str = SYNTHETIC_SOURCE
    #: number of trials that must end
    trials: int = 20
    #: epochs of a trial that is not stopped early
    max_epochs: int = 10
    #: pixels a side, a multiple of 32
    image_size: int = 128
    #: photos a training step
    batch_size: int = 16
    #: how a photo becomes square: crop its centre, or squash it as the report did
    fit: Literal["crop", "squash"] = "crop"
    #: trials at the same time; null: as many as the machine or cluster has room for
    concurrency: int | None = None
    device: DeviceName = "auto"
    #: trials that share one GPU; auto: as many as its memory and the cores beside it allow
    trials_per_gpu: int | Literal["auto"] = 1
    #: stop asking for trials after so many seconds; null: no limit
    time_budget_sec: float | None = None
    seed: int = 0
    #: validation metric to optimise
    objective: str = DEFAULT_OBJECTIVE
    #: further validation metrics to optimise at the same time: the search then looks for the whole
    #: Pareto front and stops no trial early; `objective` still says which epoch of a trial is best
    second_objectives: tuple[str, ...] = ()
    #: bounds that an epoch must satisfy to count
    guards: tuple[str, ...] = DEFAULT_GUARDS
    #: share of the photos held out for validation, by content
    validation_fraction: float = 0.1
    #: share of the photos that choose nothing and say what the choice is worth, by content
    test_fraction: float = 0.1
    #: validate on so many of them at most
    max_validation_photos: int = 128
    #: how often a trial whose process died is started again from its checkpoint
    max_retries: int = 3
    #: ask configurations first that are known to be good on landscapes
    known_points: bool = True
    #: points to ask first instead, each naming values of some sampled settings
    points: tuple[Point, ...] = ()
    #: after the search the best so many configurations train again ...
    finalists: int = 0
    #: ... so many times each with fresh seeds, at full length
    repeats: int = 3
    #: end the search when so many trials in a row brought no better one; null: never
    patience_trials: int | None = None
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    #: database for the Optuna study, such as postgresql://USER@HOST/NAME; null: a journal in the
    #: run's folder
    storage: str | None = None
    #: an absolute folder or a URI such as s3://BUCKET/runs that gets a copy of the run's folder
    results: str | None = None
    #: trackers that get parameters, metrics, sample grids and the bundle: mlflow, wandb
    log: tuple[str, ...] = ()
    #: sampled and fixed training settings; image and batch size are those above unless named here
    space: SearchSpace = field(default_factory=lambda: SearchSpace.parse({}))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.name):
            raise InputError(
                "name must be 1 to 100 letters, digits, '.', '_' or '-' and start with a letter "
                f"or digit, but got {self.name!r}"
            )
        check_side(self.image_size)
        for name in ("trials", "max_epochs", "max_validation_photos"):
            _check_whole(name, getattr(self, name), 1)
        if self.trials_per_gpu != "auto":
            _check_whole("trials_per_gpu", self.trials_per_gpu, 1)
        _check_whole("batch_size", self.batch_size, 2)
        for name in ("seed", "max_retries", "finalists"):
            _check_whole(name, getattr(self, name), 0)
        _check_whole("repeats", self.repeats, 1)
        if self.patience_trials is not None:
            _check_whole("patience_trials", self.patience_trials, 1)
        if self.finalists > self.trials:
            raise InputError(
                f"finalists must not outnumber the trials ({self.trials}), but got {self.finalists}"
            )
        if self.concurrency is not None:
            _check_whole("concurrency", self.concurrency, 1)
        _check_choice("device", self.device, DEVICE_NAMES)
        _check_choice("fit", self.fit, FITS)
        if self.time_budget_sec is not None and not self.time_budget_sec > 0:
            raise InputError(f"time_budget_sec must be above 0, but got {self.time_budget_sec}")
        if not 0.0 < self.validation_fraction < 1.0:
            raise InputError(
                "validation_fraction must be above 0 and below 1, "
                f"but got {self.validation_fraction}"
            )
        if not 0.0 <= self.test_fraction < 1.0 - self.validation_fraction:
            raise InputError(
                "test_fraction must be at least 0 and leave photos to train on beside "
                f"validation_fraction ({self.validation_fraction}), but got {self.test_fraction}; "
                "take 0.1, or 0 for no test photos"
            )
        _check_whole("early_stopping.grace_epochs", self.early_stopping.grace_epochs, 1)
        _check_whole("early_stopping.reduction_factor", self.early_stopping.reduction_factor, 2)
        self.make_objective()
        object.__setattr__(self, "space", self._whole_space())
        self._check_second_objectives()
        if self.storage is not None:
            database_url(self.storage)
        if self.results is not None:
            check_remote_storage(self.results)
        # From Python, one name is as good as a list of them.
        trackers = [self.log] if isinstance(self.log, str) else self.log
        object.__setattr__(self, "log", tuple(dict.fromkeys(trackers)))
        for tracker in self.log:
            _check_choice("log", tracker, TRACKERS)
        self._check_points()

    def _whole_space(self) -> SearchSpace:
        space = self.space.with_pretraining(self.max_epochs)
        return space.completed(image_size=self.image_size, batch_size=self.batch_size)

    def _check_second_objectives(self) -> None:
        valid = [metric for metric in DIRECTIONS if metric != self.objective]
        for metric in self.second_objectives:
            _check_choice("second_objectives", metric, tuple(valid))
        if len(set(self.second_objectives)) < len(self.second_objectives):
            raise InputError(
                "second_objectives must name each metric once, but got "
                + ", ".join(self.second_objectives)
            )

    def _check_points(self) -> None:
        space = self.space
        for point in self.points:
            for name, value in point.items():
                if name not in space.sampled or not space.sampled[name].contains(value):
                    raise InputError(
                        f"points must name values inside the search space, but got {name}: "
                        f"{value!r}; widen the range of {name} in space"
                    )

    def make_objective(self) -> Objective:
        """The objective with its guards."""
        return Objective(self.objective, tuple(Guard.parse(text) for text in self.guards))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain values; unknown keys raise InputError and list the valid ones.

        Keys of earlier versions, which the config.json of a stored run may have, are ignored, and
        a run from before there were test photos, whose `test_fraction` is missing, has none.
        """
        values = {name: value for name, value in values.items() if name not in _DROPPED}
        values.setdefault("test_fraction", 0.0)
        _check_keys("configuration", values, cls)
        if "early_stopping" in values:
            values["early_stopping"] = _nested(
                "early_stopping", values["early_stopping"], EarlyStopping
            )
        if "points" in values:
            values["points"] = _points(values["points"])
        for name in ("guards", "second_objectives", "log"):
            if name in values and not (name == "log" and isinstance(values[name], str)):
                values[name] = _texts(name, values[name])
        if "space" in values:
            if not isinstance(values["space"], dict):
                raise InputError(f"space must be a mapping, but got {values['space']!r}")
            values["space"] = SearchSpace.parse(values["space"])
        for name in ("name", "images"):
            if not isinstance(values.get(name, ""), str):
                raise InputError(f"{name} must be a text, but got {values[name]!r}")
        for name in ("storage", "results"):
            if not isinstance(values.get(name), str | None):
                raise InputError(f"{name} must be a text or null, but got {values[name]!r}")
        return cls(**values)

    def to_dict(self) -> dict[str, object]:
        """Return plain values that JSON can hold, fully resolved."""
        plain = asdict(self)
        plain["guards"] = list(self.guards)
        plain["second_objectives"] = list(self.second_objectives)
        plain["log"] = list(self.log)
        if self.storage is not None:
            plain["storage"] = without_password(self.storage)
        if self.results is not None:
            plain["results"] = without_credentials(self.results)
        plain["points"] = list(self.points)
        plain["space"] = self.space.to_plain()
        return plain


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a configuration file; raises InputError unless it is a YAML mapping."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"the configuration file must be readable, but got {path}: {error.strerror}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} must be YAML, but: {reason}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold a YAML mapping, but got {type(values).__name__}")
    for name in _DROPPED.keys() & values:
        raise InputError(
            f"{path} must not name {name}, which is no longer a setting ({_DROPPED[name]}); "
            "delete it from the file"
        )
    return values


def _check_keys(what: str, values: Mapping[str, Any], cls: type) -> None:
    valid = [f.name for f in fields(cls)]
    if unknown := sorted(map(str, set(values) - set(valid))):
        raise InputError(
            f"{what} keys must be among {', '.join(valid)}, but got {', '.join(unknown)}"
        )


def _nested(name: str, value: Any, cls: type[_Nested]) -> _Nested:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be a mapping, but got {value!r}")
    _check_keys(name, value, cls)
    return cls(**value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{name} must be a list of texts, but got {value!r}")
    return tuple(value)


def _points(value: Any) -> tuple[Point, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(point, dict) for point in value):
        raise InputError(f"points must be a list of mappings, but got {value!r}")
    return tuple(value)


def _check_whole(name: str, value: Any, low: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise InputError(f"{name} must be a whole number of at least {low}, but got {value!r}")


def _check_choice(name: str, value: Any, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise InputError(f"{name} must be one of {', '.join(valid)}, but got {value!r}")
