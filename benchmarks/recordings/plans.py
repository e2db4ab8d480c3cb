"""What is recorded: lists of trainings, of which any beginning is a fair sample of the whole.

`table`: generators and their rates (Sobol points) trained on reconstruction for 0, 4, 8 or 12
epochs, and from there 480 branches (Sobol points over generator, beginning, discriminator width
and rate, adversarial factor) of 6 epochs against a discriminator, at 32 px; every fourth a second
time with another seed. The first 64 branches share 8 generators, the others 16.

`near`: branches of the default space of `search.space` (Sobol points over its generators and
rates, beginnings of 0, 4, 8 or 12 epochs), of which `table` holds too few to search among them;
otherwise like it.

`table-64`: the first 40 branches of `table` at 64 px, narrow generators first, to see whether 32 px
ranks settings alike.

`balance`: generator width x parameter ratio x seeds at 64 px, 10 epochs from nothing, for the
report's question; a third of the grid with a second pair of rates, another third with the duality
gap at the end. `balance-pilot`: the part of it
that gives the variance between seeds at ten epochs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.stats import qmc

from benchmarks.recordings.recorder import Piece, pieces_of
from models.networks.complexity import nearest_discriminator_width
from models.training.settings import TrainingSettings
from search.space import SearchSpace

#: generator widths; vector registers like multiples of eight
WIDTHS = (8, 12, 16, 24, 32, 48, 64)
GENERATOR_RATES = (1e-4, 3e-3)
SNAPSHOTS = (0, 4, 8, 12)
N_GENERATORS = 16
#: branches that share the first half of the generators, so that a short recording is useful too
N_EARLY = 64
N_BRANCHES = 480
BRANCH_EPOCHS = 6
#: branches of so many trainings are begun before any goes on ...
BLOCK = 64
#: ... after so many epochs, in these plans
FIRST_EPOCHS = {"table": 2, "table-64": 2}
#: of so many branches one is recorded with a second seed
REPEAT_EVERY = 4
N_NEAR = 192
DISCRIMINATOR_WIDTHS = (2, 32)
DISCRIMINATOR_RATES = (1e-6, 2e-3)
FACTORS = (0.003, 0.3)
#: one generator in so many blurs what its transposed convolutions make
SMOOTH_EVERY = 8


class Training(NamedTuple):
    """A whole training of a plan."""

    number: int
    settings: TrainingSettings
    #: epochs after `settings.pretrain_epochs`
    epochs: int
    #: whether it ends with the duality gap
    duality: bool = False


def generators(*, image_size: int) -> list[TrainingSettings]:
    """Generators with their rates, a Sobol sample."""
    points = qmc.Sobol(2, seed=0).random(N_GENERATORS)
    return [
        TrainingSettings(
            generator_complexity=WIDTHS[int(u * len(WIDTHS))],
            generator_lr=_digits(_log_uniform(v, *GENERATOR_RATES)),
            smooth_upsampling=i % SMOOTH_EVERY == 5,
            image_size=image_size,
        )
        for i, (u, v) in enumerate(points)
    ]


def branches(*, image_size: int) -> list[Training]:
    """Branches of the generators' beginnings, a Sobol sample, all with seed 0."""
    begun = generators(image_size=image_size)
    found = []
    for i, point in enumerate(qmc.Sobol(5, seed=1).random(512)[:N_BRANCHES]):
        pool = begun[: N_GENERATORS // 2] if i < N_EARLY else begun
        settings = replace(
            pool[int(point[0] * len(pool))],
            pretrain_epochs=SNAPSHOTS[int(point[1] * len(SNAPSHOTS))],
            discriminator_complexity=round(_log_uniform(point[2], *DISCRIMINATOR_WIDTHS)),
            discriminator_lr=_digits(_log_uniform(point[3], *DISCRIMINATOR_RATES)),
            adversarial_factor=_digits(_log_uniform(point[4], *FACTORS)),
        )
        found.append(Training(i, settings, BRANCH_EPOCHS))
    return found


def table() -> Iterator[Training]:
    """The table at 32 px: the first branches, then further ones beside second seeds."""
    yield from _beside_repeats(branches(image_size=32))


def _beside_repeats(trainings: list[Training]) -> Iterator[Training]:
    """All with their seed, and after the first of them some again with seed 1."""
    repeats = iter(trainings[::REPEAT_EVERY])
    yield from trainings[:N_EARLY]
    for i, branch in enumerate(trainings[N_EARLY:]):
        yield branch
        if i % 3 == 2 and (again := next(repeats, None)):
            yield again._replace(settings=replace(again.settings, seed=1))
    for again in repeats:
        yield again._replace(settings=replace(again.settings, seed=1))


def near() -> Iterator[Training]:
    """Branches within the default space, further ones beside second seeds."""
    space = SearchSpace.parse({})
    generators = list(
        itertools.product(space.values_of("generator_complexity"), space.values_of("generator_lr"))
    )
    discriminator, rate, factor = (
        space.values_of(name)
        for name in ("discriminator_complexity", "discriminator_lr", "adversarial_factor")
    )
    found = []
    for i, point in enumerate(qmc.Sobol(5, seed=2).random(256)[:N_NEAR]):
        width, generator_rate = generators[int(point[0] * len(generators))]
        settings = TrainingSettings(
            generator_complexity=width,
            generator_lr=generator_rate,
            image_size=32,
            pretrain_epochs=SNAPSHOTS[int(point[1] * len(SNAPSHOTS))],
            discriminator_complexity=round(_log_uniform(point[2], *discriminator)),
            discriminator_lr=_digits(_log_uniform(point[3], *rate)),
            adversarial_factor=_digits(_log_uniform(point[4], *factor)),
        )
        found.append(Training(i, settings, BRANCH_EPOCHS))
    yield from _beside_repeats(found)


def table_64() -> Iterator[Training]:
    """The first 40 branches at 64 px, those of narrow generators first: wide ones are dear."""
    first = branches(image_size=64)[:40]
    yield from sorted(first, key=lambda training: training.settings.generator_complexity)


BALANCE_WIDTHS = (12, 20, 32)
BALANCE_RATIOS = (0.2, 0.4, 0.8, 1.6, 3.2)
BALANCE_SEEDS = 16
BALANCE_EPOCHS = 10
#: (generator's, discriminator's) rates; the second on every third training of the grid
BALANCE_RATES = ((4e-4, 4e-4), (1e-3, 2e-4))
BALANCE_FACTOR = 0.02
#: the pilot: the corners and the centre of the grid, four seeds each
PILOT = ((12, 0.2), (12, 3.2), (20, 0.8), (32, 0.2), (32, 3.2))
PILOT_SEEDS = 4


def balance() -> Iterator[Training]:
    """The grid seed by seed, each with its third at the second rates."""
    number = 0
    for seed in range(BALANCE_SEEDS):
        for second in (False, True):
            for i, (width, ratio) in enumerate(_balance_grid()):
                if second and (i + seed) % 3:
                    continue
                settings = _balanced(width, ratio, seed, BALANCE_RATES[second])
                yield Training(number, settings, BALANCE_EPOCHS, _has_gap(width, ratio, seed))
                number += 1


def balance_pilot() -> Iterator[Training]:
    """Five cells of the grid, four seeds each; `balance` does not record them again."""
    for seed in range(PILOT_SEEDS):
        for width, ratio in PILOT:
            settings = _balanced(width, ratio, seed, BALANCE_RATES[0])
            number = seed * len(PILOT) + PILOT.index((width, ratio))
            yield Training(number, settings, BALANCE_EPOCHS, _has_gap(width, ratio, seed))


def _balance_grid() -> list[tuple[int, float]]:
    return [(width, ratio) for width in BALANCE_WIDTHS for ratio in BALANCE_RATIOS]


def _has_gap(width: int, ratio: float, seed: int) -> bool:
    """Whether a cell and seed are of the third that ends with the duality gap."""
    return (_balance_grid().index((width, ratio)) + seed) % 3 == 1


def _balanced(width: int, ratio: float, seed: int, rates: tuple[float, float]) -> TrainingSettings:
    return TrainingSettings(
        generator_complexity=width,
        discriminator_complexity=nearest_discriminator_width(
            ratio, generator_complexity=width, image_size=64
        ),
        generator_lr=rates[0],
        discriminator_lr=rates[1],
        adversarial_factor=BALANCE_FACTOR,
        image_size=64,
        seed=seed,
    )


PLANS: dict[str, Callable[[], Iterator[Training]]] = {
    "table": table,
    "near": near,
    "table-64": table_64,
    "balance": balance,
    "balance-pilot": balance_pilot,
}


def image_size_of(plan: str) -> int:
    """Pixels a side of a plan's photos."""
    return next(PLANS[plan]()).settings.image_size


def pieces(plan: str) -> Iterator[Piece]:
    """All pieces of a plan in their order; beginnings recur and are recorded once.

    Of each 64 trainings all first parts come before the rest, so that many settings are seen
    early; what is left of a training goes on from its first part.
    """
    trainings = PLANS[plan]()
    while block := list(itertools.islice(trainings, BLOCK)):
        rests = []
        for training in block:
            parts = pieces_of(
                plan,
                *training,
                snapshots=SNAPSHOTS[1:],
                first_epochs=FIRST_EPOCHS.get(plan, training.epochs),
            )
            n_early = sum(part.is_beginning for part in parts) + 1
            yield from parts[:n_early]
            rests += parts[n_early:]
        yield from rests


def _log_uniform(u: float, low: float, high: float) -> float:
    return float(low * (high / low) ** u)


def _digits(value: float) -> float:
    return float(np.format_float_scientific(value, precision=2))
