"""Where a training comes from: the run and trial it carries on, kept in the training's folder."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from data_pipeline.errors import InputError
from models.networks.complexity import network_sizes
from models.training.settings import TrainingSettings
from search.run.directory import write_json

ORIGIN_NAME = "train.json"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """How a discriminator of some width measures up to the generator at an image size."""

    image_size: int
    discriminator_complexity: int
    parameter_ratio: float
    conv_parameter_ratio: float

    @classmethod
    def of(cls, settings: TrainingSettings) -> Self:
        """The pair that `settings` train."""
        sizes = network_sizes(
            settings.generator_complexity, settings.discriminator_complexity, settings.image_size
        )
        return cls(
            image_size=settings.image_size,
            discriminator_complexity=settings.discriminator_complexity,
            parameter_ratio=sizes.parameter_ratio,
            conv_parameter_ratio=sizes.conv_parameter_ratio,
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The run and trial that a training carries on."""

    #: the run's folder when the training began, and its name
    folder: str
    run: str
    trial_id: str
    #: what the search found
    found: Pair
    #: epochs of the trial that were carried over; 0: the training began with fresh weights
    continued_after: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; raises InputError when it is damaged."""
        try:
            return cls.parse(path.read_bytes(), path)
        except OSError as error:
            raise InputError(f"{path} must be a JSON file, but: {error}") from error

    @classmethod
    def parse(cls, content: bytes, path: Path | str) -> Self:
        """As `read`, from what the file at `path` holds."""
        try:
            values = json.loads(content)
            return cls(**{**values, "found": Pair(**values["found"])})
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise InputError(
                f"{path} must say where the training comes from, but is damaged ({error}); "
                "train again"
            ) from error

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, asdict(self))


def resume_training(out: Path) -> str:
    """The command line that goes on with the training in the folder `out`."""
    return f"chromatune train --resume --out {shlex.quote(str(out))}"
