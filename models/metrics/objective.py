"""What a search optimises, and the guards that neither grey nor speckle may pass."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from data_pipeline.errors import InputError
from models.metrics.names import DIRECTIONS, METRICS, Direction

DEFAULT_OBJECTIVE = "ab_swd"
DEFAULT_GUARDS = ("grey_skill > 0", "ab_hf_ratio < 2")


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

    def sort_key(self, metrics: Mapping[str, float | None]) -> tuple[bool, float]:
        """Smaller is better: feasible before infeasible, then by the metric."""
        value = metrics.get(self.metric)
        if value is None or not math.isfinite(value):
            return (True, math.inf)
        return (
            not self.feasible(metrics),
            value if self.direction == "minimize" else -value,
        )
