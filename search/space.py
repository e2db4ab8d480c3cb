"""The search space: which training settings are sampled, from what, and which are fixed.

In YAML a parameter is one of

    generator_lr: {low: 1.0e-5, high: 2.0e-3, log: true}    # a range; `step` instead of `log`
    batch_size: [8, 16, 32]                                  # choices
    dropout: 0.5                                             # a fixed value
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from data_pipeline.errors import InputError
from models.beginnings.identity import WITHOUT_INFLUENCE
from models.training.settings import TrainingSettings

#: settings that a search may sample or fix; the seeds are the driver's
NAMES = tuple(
    field.name for field in fields(TrainingSettings) if field.name not in ("seed", "pretrain_seed")
)
_WHOLE = tuple(
    field.name for field in fields(TrainingSettings) if field.type == "int" and field.name in NAMES
)

#: a value of a setting
Scalar = bool | int | float | str
#: values of some sampled settings, by their names
Point = Mapping[str, Scalar]

#: few generators, so that trainings share their beginnings, at widths that vector registers like;
#: `SearchConfig` adds epochs of pre-training. How it was chosen: docs/search.md
DEFAULT_SPACE: Mapping[str, Mapping[str, float | bool] | list[float]] = {
    "generator_complexity": [24, 32, 48],
    "discriminator_complexity": {"low": 4, "high": 32, "log": True},
    "generator_lr": [3e-4, 1e-3],
    "discriminator_lr": {"low": 3e-5, "high": 1e-3, "log": True},
    "adversarial_factor": {"low": 0.006, "high": 0.12, "log": True},
}
#: of a trial's epochs, the share that the generator may train on reconstruction alone by default
PRETRAIN_SHARE = 0.4


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; uniform, or uniform in the logarithm."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def contains(self, value: Any) -> bool:
        """Whether `value` can be sampled."""
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or math.isclose((value - self.low) % self.step, 0.0, abs_tol=1e-9)


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Scalar, ...]

    def contains(self, value: Any) -> bool:
        """Whether `value` is one of them."""
        return value in self.values


@dataclass(frozen=True)
class Fixed:
    """Always the same value."""

    value: Scalar


Parameter = Range | Choice | Fixed


@dataclass(frozen=True)
class SearchSpace:
    """Parameters of training settings, by their names."""

    parameters: Mapping[str, Parameter]

    @classmethod
    def parse(cls, plain: Mapping[str, Any]) -> SearchSpace:
        """Read plain values (from YAML); what is searched by default is so unless they name it.

        Raises InputError for unknown names and for values that a training would refuse.
        """
        if unknown := sorted(set(plain) - set(NAMES)):
            raise InputError(
                f"a search space must name settings among {', '.join(NAMES)}, "
                f"but got {', '.join(map(str, unknown))}"
            )
        named = {**DEFAULT_SPACE, **plain}
        space = cls({name: _parse_parameter(name, value) for name, value in named.items()})
        space._check_corners()
        return space

    def with_pretraining(self, max_epochs: int) -> SearchSpace:
        """Also searched without pre-training and with a part of a trial's epochs.

        Only where trials can share it, and only if `pretrain_epochs` is not named.
        """
        epochs = int(max_epochs * PRETRAIN_SHARE)
        if "pretrain_epochs" in self.parameters or epochs == 0:
            return self
        searched = SearchSpace({**self.parameters, "pretrain_epochs": Choice((0, epochs))})
        return searched if searched.shares_beginnings else self

    def completed(self, **values: Any) -> SearchSpace:
        """All settings: those that are not named are fixed to `values` or to their defaults."""
        default = replace(TrainingSettings(), **values)
        return SearchSpace(
            {name: self.parameters.get(name, Fixed(getattr(default, name))) for name in NAMES}
        )

    @property
    def sampled(self) -> dict[str, Range | Choice]:
        """The parameters that vary."""
        return {
            name: parameter
            for name, parameter in self.parameters.items()
            if not isinstance(parameter, Fixed)
        }

    @property
    def fixed(self) -> dict[str, Scalar]:
        """The values of the parameters that do not vary."""
        return {
            name: parameter.value
            for name, parameter in self.parameters.items()
            if isinstance(parameter, Fixed)
        }

    def values_of(self, name: str) -> list[Any]:
        """All values (or the two ends of the range) that `name` may take."""
        match self.parameters[name]:
            case Range(low, high):
                return [low, high]
            case Choice(values):
                return list(values)
            case Fixed(value):
                return [value]

    @property
    def shares_beginnings(self) -> bool:
        """Whether trials that differ may have the same pre-training, in a space of all settings.

        Not if one of the settings that it depends on is sampled from a continuum, where no two
        trials ever meet.
        """
        sampled = self.sampled
        return (
            self.values_of("pretrain_epochs") != [0]
            and any(name in WITHOUT_INFLUENCE for name in sampled)
            and not any(
                isinstance(parameter, Range) and parameter.step is None and name not in _WHOLE
                for name, parameter in sampled.items()
                if name not in WITHOUT_INFLUENCE
            )
        )

    def settings(self, sampled: Mapping[str, Any], *, seed: int) -> TrainingSettings:
        """The training that a sampled point asks for."""
        return TrainingSettings.from_dict({**self.fixed, **sampled, "seed": seed})

    def to_plain(self) -> dict[str, object]:
        """Return what `parse` reads."""
        plain: dict[str, object] = {}
        for name, parameter in self.parameters.items():
            match parameter:
                case Range(low, high, log, step):
                    options = {"log": True} if log else {}
                    steps = {"step": step} if step is not None else {}
                    plain[name] = {"low": low, "high": high, **options, **steps}
                case Choice(values):
                    plain[name] = list(values)
                case Fixed(value):
                    plain[name] = value
        return plain

    def _check_corners(self) -> None:
        # TrainingSettings knows what is valid; each end of each range must pass it alone.
        for name in self.parameters:
            for value in self.values_of(name):
                TrainingSettings.from_dict({name: value})


def _parse_parameter(name: str, value: Any) -> Parameter:
    whole = name in _WHOLE
    if isinstance(value, Mapping):
        return _parse_range(name, value, whole=whole)
    if isinstance(value, list | tuple):
        if not value:
            raise InputError(f"the choices of {name} must not be empty")
        return Choice(tuple(value)) if len(value) > 1 else Fixed(value[0])
    return Fixed(value)


def _parse_range(name: str, value: Mapping[str, Any], *, whole: bool) -> Parameter:
    valid = ("low", "high", "log", "step")
    if unknown := sorted(set(value) - set(valid)):
        raise InputError(
            f"the range of {name} must have keys among {', '.join(valid)}, "
            f"but got {', '.join(map(str, unknown))}"
        )
    numbers = {}
    for end in ("low", "high"):
        number = value.get(end)
        expected = int if whole else int | float
        if not isinstance(number, expected) or isinstance(number, bool):
            kind = "whole number" if whole else "number"
            raise InputError(f"{end} of {name} must be a {kind}, but got {number!r}")
        numbers[end] = number
    low, high = numbers["low"], numbers["high"]
    log, step = value.get("log", False), value.get("step")
    if not low <= high:
        raise InputError(f"low of {name} must not be above high, but got {low} and {high}")
    if not isinstance(log, bool):
        raise InputError(f"log of {name} must be true or false, but got {log!r}")
    if log and step is not None:
        raise InputError(f"the range of {name} must have log or step, but got both")
    if log and low <= 0:
        raise InputError(f"low of {name} must be above 0 on a log scale, but got {low}")
    if step is not None and (not isinstance(step, int | float) or step <= 0):
        raise InputError(f"step of {name} must be a number above 0, but got {step!r}")
    if whole and step is not None and not isinstance(step, int):
        raise InputError(f"step of {name} must be a whole number, but got {step!r}")
    return Fixed(low) if low == high else Range(low, high, log, step)
