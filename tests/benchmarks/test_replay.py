"""Replayed searches pay what real ones would, and are compared at equal cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from benchmarks.replay.candidates import Candidate
from benchmarks.replay.portfolio import portfolio
from benchmarks.replay.promotion import Promotion
from benchmarks.replay.searchers import Purse, Tpe, random_search
from benchmarks.replay.summary import GRID, cost_to_match, folds, pools, share_better
from benchmarks.replay.table import Recorded, place_of

EPOCHS = 3


def training(
    value: float,
    *,
    pretrain: int = 0,
    width: int = 16,
    factor: float = 0.05,
    plan: str = "table",
) -> Recorded:
    settings: dict[str, Any] = {
        "generator_complexity": width,
        "generator_lr": 1e-3,
        "smooth_upsampling": False,
        "pretrain_epochs": pretrain,
        "discriminator_complexity": 8,
        "discriminator_lr": 1e-4,
        "adversarial_factor": factor,
        "seed": 0,
    }
    values = np.array([value + 2.0, value + 1.0, value])
    return Recorded(
        settings=settings,
        plan=plan,
        values={"choose": values, "test": values + 0.5},
        penalties=np.zeros(EPOCHS),
        again=value + 0.4,
        judged=value,
        gave_up=False,
        epoch_cost=10.0,
        beginning_cost=5.0 * pretrain,
        place=place_of(settings),
    )


def table_of(n: int = 40) -> list[Recorded]:
    """A larger factor is better."""
    factors = np.geomspace(0.004, 0.25, n)
    return [
        training(5.0 - math.log(factor), factor=float(factor), pretrain=4 * (i % 2))
        for i, factor in enumerate(factors)
    ]


def paid(trainings: list[Recorded], *, shares: bool) -> Purse:
    purse = Purse(1e9, shares)
    for each in trainings:
        assert len(list(purse.train(each))) == EPOCHS
    return purse


def test_equal_beginnings_are_paid_once_where_they_are_shared() -> None:
    same = [training(1.0, pretrain=4), training(2.0, pretrain=4), training(3.0, pretrain=8)]
    assert paid(same, shares=False).spent == 3 * 30 + 20 + 20 + 40
    purse = paid(same, shares=True)
    assert (purse.spent, purse.saved) == (3 * 30 + 20 + 40, 20)


def test_the_winner_is_chosen_on_seen_photos_and_judged_on_unseen_ones() -> None:
    purse = paid([training(2.0), training(1.0), training(3.0)], shares=False)
    assert [round(value, 6) for _, value, _ in purse.curve] == [4.5, 3.5, 2.5, 1.5]
    assert [spent for spent, _, _ in purse.curve] == [10, 20, 30, 60]
    assert purse.curve[-1][2].judged == 1.0


@pytest.mark.parametrize(
    "searcher",
    [
        random_search,
        Tpe(),
        Tpe(grace_epochs=1, thrift=1.0),
        Tpe(grace_epochs=1, prior=0.5, start=table_of(4)),
        Tpe(constrained=True),
        Promotion(),
    ],
)
def test_a_search_ends_with_its_budget_and_repeats_exactly(searcher: Any) -> None:
    curves = []
    for _ in range(2):
        purse = Purse(400.0, True)
        searcher(table_of(), 3, purse)
        assert 400.0 <= purse.spent < 400.0 + 10.0 + 20.0
        curves.append([point[:2] for point in purse.curve])
    assert curves[0] == curves[1]


def test_start_points_are_the_nearest_trainings_of_the_table() -> None:
    trainings = table_of()
    purse = Purse(30.0, False)
    Tpe(start=[trainings[30]])([t for t in trainings if t is not trainings[30]], 0, purse)
    near = {trainings[i].settings["adversarial_factor"] for i in (28, 32)}
    assert purse.curve[-1][2].settings["adversarial_factor"] in near


def test_the_table_is_dealt_into_halves() -> None:
    trainings = table_of()
    first, second = folds(trainings)
    assert len(first) == len(second) == 20
    assert {id(t) for t in first + second} == {id(t) for t in trainings}


def test_pause_and_promote_pays_each_epoch_once_and_ends_the_best_only() -> None:
    trainings = table_of(16)
    purse = Purse(1e9, False)
    Promotion()(trainings, 0, purse)
    # The rungs are 1, 2 and 3 epochs. Of 16 at least 8 go on to the second and 4 to the third;
    # some more, as those that look good early are promoted before the others have begun.
    epochs = (purse.spent - sum(t.beginning_cost for t in trainings)) / 10.0
    assert 16 + 8 + 4 <= epochs < 2 * (16 + 8 + 4)
    assert 4 <= len(purse.complete) <= 8
    finished = {t.settings["adversarial_factor"] for t in purse.complete}
    assert max(t.settings["adversarial_factor"] for t in trainings) in finished


def test_what_teaches_a_search_is_not_what_it_searches() -> None:
    trainings = [*table_of(20), *(training(1.0 + i, plan="near") for i in range(6))]
    for near in (False, True):
        for taught, searched in pools(
            Candidate(make=lambda _: random_search, near=near), trainings
        ):
            assert not {id(t) for t in taught} & {id(t) for t in searched}
            assert {t.plan for t in taught} == {"table"}
            assert {t.plan for t in searched} == {"near" if near else "table"}


def test_a_portfolio_prefers_good_trainings_and_spreads() -> None:
    chosen = portfolio(table_of(), 3)
    assert len({id(t) for t in chosen}) == 3
    assert chosen[0].values["choose"].min() < np.median(
        [t.values["choose"].min() for t in table_of()]
    )


def test_cost_to_match_is_where_the_median_gets_as_good() -> None:
    reference = np.tile(np.where(GRID < 0.8, 3.0, 2.0), (5, 1))
    ours = np.tile(np.where(GRID < 0.25, 3.0, 1.5), (5, 1))
    assert cost_to_match(ours, reference) == pytest.approx(0.25, abs=0.01)
    assert cost_to_match(reference, ours) == 1.5
    assert share_better(ours[:, -1], reference[:, -1]) == 1.0
    assert share_better(ours[:, -1], ours[:, -1]) == 0.5
