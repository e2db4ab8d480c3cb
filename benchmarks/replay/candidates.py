"""What is compared: each candidate as a searcher made from the trainings that may teach it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from optuna.samplers import GPSampler

from benchmarks.replay.portfolio import portfolio
from benchmarks.replay.promotion import Promotion
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
#: the good part of a table: so many of its best trainings span the narrower space
GOOD_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A searcher, and whether its trainings share their beginnings.

    Args:
        make: the searcher, from what may teach it.
        shares: whether equal beginnings are paid once.
        near: search the trainings of plan `near`, taught by `table`, instead of halves of `table`.
        space: which of these trainings its space holds, from what may teach it.
    """

    make: Callable[[Sequence[Recorded]], Run]
    shares: bool = False
    near: bool = False
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


def started(n: int, **options: object) -> Callable[[Sequence[Recorded]], Run]:
    """TPE that asks a portfolio first."""
    return lambda taught: Tpe(start=portfolio(taught, n), **options)  # type: ignore[arg-type]


def promoted(n: int, **options: int) -> Callable[[Sequence[Recorded]], Run]:
    """Pause and promote that begins with a portfolio."""
    return lambda taught: Promotion(start=portfolio(taught, n), **options)


def with_beginnings(*epochs: int) -> Callable[[Recorded], bool]:
    """A test for trainings that go on from a beginning of so many epochs."""
    return lambda training: training.settings["pretrain_epochs"] in epochs


def candidates() -> Mapping[str, Candidate]:
    """All of them by name; the first two are the references."""
    return {**_in_the_whole_space(), **_in_the_default_space()}


def _in_the_whole_space() -> dict[str, Candidate]:
    box = Box.around_good
    shared: dict[str, Callable[[Sequence[Recorded]], Run]] = {
        "random, shared": lambda _: random_search,
        "shared": lambda _: Tpe(grace_epochs=2),
        "shared, grace 1": lambda _: Tpe(grace_epochs=1),
        "shared, thrift 1": lambda _: Tpe(grace_epochs=2, thrift=1.0),
        "shared, branches 3": lambda _: Tpe(grace_epochs=2, branches=3),
        "shared, GP": lambda _: Tpe(grace_epochs=2, sampler=_gp),
        "shared, c-TPE": lambda _: Tpe(grace_epochs=2, constrained=True),
        "promote": lambda _: Promotion(),
        "start 5": started(5, grace_epochs=2),
        "start 5, prior 1/2": started(5, grace_epochs=2, prior=0.5),
        "start 5, promote": promoted(5),
    }
    boxed: dict[str, Callable[[Sequence[Recorded]], Run]] = {
        "box": lambda _: Tpe(grace_epochs=2),
        "start 5, box": started(5, grace_epochs=2),
    }
    return {
        "random": Candidate(make=lambda _: random_search),
        "report's grid": Candidate(make=lambda _: grid_search(REPORT_GRID)),
        "plain TPE": Candidate(make=lambda _: Tpe(multivariate=False)),
        "today's": Candidate(make=lambda _: Tpe(grace_epochs=2)),
        **{name: Candidate(make=make, shares=True) for name, make in shared.items()},
        **{name: Candidate(make=make, shares=True, space=box) for name, make in boxed.items()},
    }


def _in_the_default_space() -> dict[str, Candidate]:
    makes: dict[str, Callable[[Sequence[Recorded]], Run]] = {
        "random": lambda _: random_search,
        "no stopping": lambda _: Tpe(),
        **{
            f"grace {grace}": lambda _, grace=grace: Tpe(grace_epochs=grace)  # type: ignore[misc]
            for grace in (1, 2, 3, 4)
        },
        "thrift 1": lambda _: Tpe(grace_epochs=4, thrift=1.0),
        "branches 3": lambda _: Tpe(grace_epochs=4, branches=3),
        "GP": lambda _: Tpe(grace_epochs=4, sampler=_gp),
        "c-TPE": lambda _: Tpe(grace_epochs=4, constrained=True),
        "promote": lambda _: Promotion(),
        "promote, first 2": lambda _: Promotion(first=2),
        "start 5": started(5, grace_epochs=4),
        "start 5, prior 1/2": started(5, grace_epochs=4, prior=0.5),
        "start 5, promote": promoted(5),
    }
    beginnings = {
        "none": with_beginnings(0),
        "4": with_beginnings(4),
        "0 or 4": with_beginnings(0, 4),
        "12": with_beginnings(12),
        "0 or 12": with_beginnings(0, 12),
        "8 or 12": with_beginnings(8, 12),
    }
    return {
        **{
            f"default space, {name}": Candidate(make=make, shares=True, near=True)
            for name, make in makes.items()
        },
        **{
            f"default space, start 5, pre-training {name}": Candidate(
                make=started(5, grace_epochs=4),
                shares=True,
                near=True,
                space=lambda _, inside=inside: inside,  # type: ignore[misc]
            )
            for name, inside in beginnings.items()
        },
    }


def _gp(seed: int) -> GPSampler:
    return GPSampler(seed=seed, n_startup_trials=8)
