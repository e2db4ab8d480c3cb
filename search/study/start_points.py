"""Which configurations a search asks first."""

from __future__ import annotations

import math
from collections.abc import Mapping

from search.config import SearchConfig
from search.space import Choice, Point, Range, Scalar

#: from a greedy portfolio of recorded trainings (`benchmarks.replay.portfolio`, docs/search.md),
#: near copies left out and rates moved to the default space's; not tried on other photos yet.
#: `pretrain_share` is of a trial's epochs.
START_POINTS: tuple[Mapping[str, float], ...] = (
    {
        "generator_complexity": 32,
        "generator_lr": 0.0003,
        "pretrain_share": 0.0,
        "discriminator_complexity": 6,
        "discriminator_lr": 0.0003,
        "adversarial_factor": 0.05,
    },
    {
        "generator_complexity": 32,
        "generator_lr": 0.001,
        "pretrain_share": 0.4,
        "discriminator_complexity": 19,
        "discriminator_lr": 4.6e-05,
        "adversarial_factor": 0.032,
    },
    {
        "generator_complexity": 32,
        "generator_lr": 0.001,
        "pretrain_share": 0.4,
        "discriminator_complexity": 4,
        "discriminator_lr": 0.00036,
        "adversarial_factor": 0.008,
    },
    {
        "generator_complexity": 48,
        "generator_lr": 0.001,
        "pretrain_share": 0.4,
        "discriminator_complexity": 5,
        "discriminator_lr": 0.00024,
        "adversarial_factor": 0.07,
    },
    {
        "generator_complexity": 32,
        "generator_lr": 0.0003,
        "pretrain_share": 0.0,
        "discriminator_complexity": 10,
        "discriminator_lr": 0.00055,
        "adversarial_factor": 0.021,
    },
)
#: share of a search that may go to them: a short search must also explore
SHARE = 0.5


def start_points(config: SearchConfig) -> list[Point]:
    """The configured points, or else those known to be good, each once."""
    points: list[Point] = []
    for point in config.points or (known_points(config) if config.known_points else ()):
        if point not in points:
            points.append(dict(point))
    return points


def known_points(config: SearchConfig) -> list[Point]:
    """Good configurations as far as the space holds them; what it holds not is sampled.

    A choice takes the nearest value, unless that is more than a factor of 1.5 away (or, of the
    epochs of pre-training, always); a range takes the value if it lies inside.
    """
    points: list[Point] = []
    for known in START_POINTS:
        values = dict(known)
        values["pretrain_epochs"] = values.pop("pretrain_share") * config.max_epochs
        point = {
            name: nearest
            for name, parameter in config.space.sampled.items()
            if name in values and (nearest := _nearest(name, parameter, values[name])) is not None
        }
        if point and point not in points:
            points.append(point)
    return points[: int(config.trials * SHARE)]


def _nearest(name: str, parameter: Range | Choice, value: float) -> Scalar | None:
    if isinstance(parameter, Range):
        rounded: Scalar = round(value) if isinstance(parameter.low, int) else value
        return rounded if parameter.contains(rounded) else None
    numbers = [v for v in parameter.values if isinstance(v, int | float)]
    if not numbers:
        return None
    if name == "pretrain_epochs":
        return min(numbers, key=lambda v: abs(v - value))
    nearest = min((v for v in numbers if v > 0), key=lambda v: abs(math.log(v / value)), default=0)
    return nearest if nearest and abs(math.log(nearest / value)) < math.log(1.5) else None
