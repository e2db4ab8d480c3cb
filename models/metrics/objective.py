"""What a search optimises, and the guards that neither grey nor speckle may pass."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from data_pipeline.errors import InputError
from models.metrics.names import DIRECTIONS, METRICS, Direction

DEFAULT_OBJECTIVE = "set_swd"
DEFAULT_GUARDS = ("grey_skill > 0", "ab_hf_ratio < 2")

#: what one unit of `set_swd` is in each metric: the all-grey answer's distance from the truth in
#: that metric over its distance in `set_swd`, on landscapes (docs/objective.md)
_UNITS = {
    "set_swd": 1.0,
    "ab_swd": 2.94,
    "frechet_ab": 130.0,
    "delta_e": 3.27,
    "l1": 0.0231,
    "grey_skill": 0.298,
    "psnr": 6.8,
    "ssim": 0.0318,
}
#: what a penalty of 1 costs, in those units; chosen with the default objective (docs/objective.md)
_PENALTY_WEIGHTS = {"ab_hf_ratio": 1.0}
_ANY_PENALTY_WEIGHT = 0.25


@dataclass(frozen=True)
class Guard:
    """A bound on a validation metric, such as `grey_skill > 0`."""

    metric: str
    sign: Literal["<", ">"]
    bound: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `METRIC < NUMBER` or `METRIC > NUMBER`; raises InputError otherwise."""
        match = re.fullmatch(r"\s*(\w+)\s*([<>])\s*(\S+)\s*", text)
        try:
            if not match or match[1] not in METRICS or not math.isfinite(bound := float(match[3])):
                raise ValueError
        except ValueError:
            raise InputError(
                f"a guard must read 'METRIC < NUMBER' or 'METRIC > NUMBER' with METRIC among "
                f"{', '.join(METRICS)}, but got {text!r}"
            ) from None
        return cls(match[1], "<" if match[2] == "<" else ">", bound)

    def violation(self, metrics: Mapping[str, float | None]) -> float:
        """How far the guard is broken: at most 0 when it holds (Optuna's constraint convention)."""
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            return 1.0
        excess = value - self.bound if self.sign == "<" else self.bound - value
        # The bound itself does not satisfy a strict inequality.
        return excess if excess != 0.0 else 1e-12

    def penalty(self, metrics: Mapping[str, float | None]) -> float:
        """What coming near the bound costs: 0 until its start, 0.5 at the bound, finite, smooth.

        It is x^2 / (1 + x), nearly straight for large x, so that a wild outlier does not drown what
        the metric says. x is 0 where the penalty starts and 1 at the bound: for an upper bound
        above 0 on a logarithmic scale from half of it, else on a linear one from 0.05 or a quarter
        of the bound before it. A missing or non-finite metric counts as x = 10.
        """
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            x = 10.0
        elif self.sign == "<" and self.bound > 0.0:
            x = max(0.0, math.log2(2.0 * min(max(value / self.bound, 1e-9), 1e9)))
        else:
            margin = max(0.05, 0.25 * abs(self.bound))
            beyond = value - self.bound if self.sign == "<" else self.bound - value
            x = max(0.0, 1.0 + beyond / margin)
        return x * x / (1.0 + x)

    def __str__(self) -> str:
        # As many digits as `parse` needs to read the same guard again.
        return f"{self.metric} {self.sign} {str(self.bound).removesuffix('.0')}"


@dataclass(frozen=True)
class Objective:
    """A validation metric to optimise under guards."""

    metric: str = DEFAULT_OBJECTIVE
    guards: tuple[Guard, ...] = tuple(Guard.parse(text) for text in DEFAULT_GUARDS)

    def __post_init__(self) -> None:
        if self.metric not in DIRECTIONS:
            raise InputError(
                f"objective must be one of {', '.join(DIRECTIONS)}, but got {self.metric!r}"
            )

    @property
    def direction(self) -> Direction:
        """Optuna's name for which way is better."""
        return DIRECTIONS[self.metric]

    def feasible(self, metrics: Mapping[str, float | None]) -> bool:
        """Whether all guards hold."""
        return all(guard.violation(metrics) <= 0.0 for guard in self.guards)

    def penalized(self, metrics: Mapping[str, float | None]) -> float | None:
        """The metric with the penalties of all guards: what the whole program compares by.

        The sampler, early stopping, the choice of an epoch and the leaderboard agree on it. In the
        metric's own unit and direction; None if the metric is missing or not finite.
        """
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            return None
        penalty = sum(
            _PENALTY_WEIGHTS.get(guard.metric, _ANY_PENALTY_WEIGHT) * guard.penalty(metrics)
            for guard in self.guards
        )
        unit = _UNITS[self.metric] if self.direction == "minimize" else -_UNITS[self.metric]
        return value + unit * penalty

    def sort_key(self, metrics: Mapping[str, float | None]) -> float:
        """Smaller is better: the penalized metric; infinite where there is none."""
        value = self.penalized(metrics)
        if value is None:
            return math.inf
        return value if self.direction == "minimize" else -value
