"""What is compared: each candidate as a searcher made from the trainings that may teach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from optuna.samplers import GPSampler

from benchmarks.replay.portfolio import portfolio
from benchmarks.replay.searchers import Run, Tpe, grid_search, random_search
from benchmarks.replay.table import SEEN, Recorded

#: the widths of the report's pairs, at both ends of its learning rates
REPORT_GRID = [
    {
        "generator_complexity": generator,
        "discriminator_complexity": discriminator,
        "generator_lr": rate,
        "discriminator_lr": rate,
        "adversarial_factor": 0.1,
        "pretrain_epochs": 0,
    }
    for rate in (7e-6, 7e-5)
    for generator, discriminator in (
        *((72, 14), (30, 4), (24, 4), (38, 4), (16, 4), (46, 4), (52, 4), (46, 16)),
    )
]
REPORT_POINTS = [point for point in REPORT_GRID if point["generator_lr"] == 7e-5]
#: the good part of a table: so many of its best trainings span the narrower space
GOOD_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A searcher, and whether its trainings share their beginnings.

    Args:
        make: the searcher, from what may teach it.
        shares: whether equal beginnings are paid once.
        space: which trainings of a table its space holds, from what may teach it.
    """

    make: Callable[[Sequence[Recorded]], Run]
    shares: bool = False
    space: Callable[[Sequence[Recorded]], Callable[[Recorded], bool]] | None = None


@dataclass(frozen=True)
class Box:
    """The span of the good trainings in each number."""

    low: np.ndarray
    high: np.ndarray
    slack: float = field(default=0.02)

    @classmethod
    def around_good(cls, taught: Sequence[Recorded]) -> Callable[[Recorded], bool]:
        """A test for trainings inside; the extreme tenths of the good ones do not widen it."""
        best = np.array([training.values[SEEN].min() for training in taught])
        good = np.argsort(best)[: max(8, int(len(taught) * GOOD_SHARE))]
        places = np.array([taught[i].place for i in good])
        low, high = np.quantile(places, [0.1, 0.9], axis=0)
        return cls(low, high).holds

    def holds(self, training: Recorded) -> bool:
        """Whether a training lies inside."""
        place = training.place
        return bool(((place >= self.low - self.slack) & (place <= self.high + self.slack)).all())


def default_space(_: Sequence[Recorded]) -> Callable[[Recorded], bool]:
    """A test for trainings like those of the default space of `search.space`."""

    def inside(training: Recorded) -> bool:
        settings = training.settings
        return (
            24 <= settings["generator_complexity"] <= 48
            and 2e-4 <= settings["generator_lr"] <= 2.5e-3
            and 4 <= settings["discriminator_complexity"] <= 32
            and 3e-5 <= settings["discriminator_lr"] <= 1e-3
            and 0.006 <= settings["adversarial_factor"] <= 0.12
        )

    return inside


def started(n: int, **options: object) -> Callable[[Sequence[Recorded]], Run]:
    """TPE that asks a portfolio first."""
    return lambda taught: Tpe(start=portfolio(taught, n), **options)  # type: ignore[arg-type]


def candidates() -> Mapping[str, Candidate]:
    """All of them by name; the first two are the references."""
    box = Box.around_good
    return {
        "random": Candidate(make=lambda _: random_search),
        "report's grid": Candidate(make=lambda _: grid_search(REPORT_GRID)),
        "random, shared": Candidate(make=lambda _: random_search, shares=True),
        "plain TPE": Candidate(make=lambda _: Tpe(multivariate=False)),
        "today's": Candidate(make=lambda _: Tpe(grace_epochs=2)),
        "shared": Candidate(make=lambda _: Tpe(grace_epochs=2), shares=True),
        "shared, grace 1": Candidate(make=lambda _: Tpe(grace_epochs=1), shares=True),
        "shared, thrift 1": Candidate(make=lambda _: Tpe(grace_epochs=2, thrift=1.0), shares=True),
        "shared, thrift 1/3": Candidate(
            make=lambda _: Tpe(grace_epochs=2, thrift=1 / 3), shares=True
        ),
        "shared, branches 2": Candidate(
            make=lambda _: Tpe(grace_epochs=2, branches=2), shares=True
        ),
        "shared, branches 3": Candidate(
            make=lambda _: Tpe(grace_epochs=2, branches=3), shares=True
        ),
        "start 5, branches 3": Candidate(make=started(5, grace_epochs=2, branches=3), shares=True),
        "box": Candidate(make=lambda _: Tpe(grace_epochs=2), shares=True, space=box),
        "start 5": Candidate(make=started(5, grace_epochs=2), shares=True),
        "start 5, box": Candidate(make=started(5, grace_epochs=2), shares=True, space=box),
        "start 5, box, grace 1": Candidate(make=started(5, grace_epochs=1), shares=True, space=box),
        "start 5, box, thrift 1": Candidate(
            make=started(5, grace_epochs=2, thrift=1.0), shares=True, space=box
        ),
        "start 5, box, no stopping": Candidate(make=started(5), shares=True, space=box),
        **{
            f"default space, grace {grace}": Candidate(
                make=lambda _, grace=grace: Tpe(grace_epochs=grace),  # type: ignore[misc]
                shares=True,
                space=default_space,
            )
            for grace in (1, 2, 3, 4)
        },
        "default space, no stopping": Candidate(
            make=lambda _: Tpe(), shares=True, space=default_space
        ),
        "default space, random": Candidate(
            make=lambda _: random_search, shares=True, space=default_space
        ),
        "default space, thrift 1": Candidate(
            make=lambda _: Tpe(grace_epochs=2, thrift=1.0),
            shares=True,
            space=default_space,
        ),
        "start 5, box, GP": Candidate(
            make=started(5, sampler=lambda seed: GPSampler(seed=seed)),
            shares=True,
            space=box,
        ),
    }
