"""A long search draws from a bounded picture of its trials, and draws as well from it."""

from __future__ import annotations

import random
import statistics
import warnings

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from search.config import SearchConfig
from search.study import thinning
from search.study.sampler import sampler_for
from search.study.thinning import Picture, StudyPicture

SPACE = {"x": FloatDistribution(-5, 5), "y": FloatDistribution(-5, 5)}
CONFIG = SearchConfig(name="a")
LIMIT, BEST = 250, 50


@pytest.fixture(autouse=True)
def _smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "LIMIT", LIMIT)
    monkeypatch.setattr(thinning, "BEST", BEST)


def _numbers(ranks: dict[int, tuple[float, ...] | None]) -> list[int]:
    picture = Picture()
    for number, rank in ranks.items():
        picture.add(number, rank)
    return sorted(picture.numbers())


@given(count=st.integers(0, 500), seed=st.integers(0, 2**32))
def test_what_is_kept(count: int, seed: int) -> None:
    rng = random.Random(seed)
    # In any order, with gaps where trials still run, and with equals.
    finished = rng.sample(range(count), rng.randint(0, count))
    ranks = {n: (rng.choice([0, 1]), rng.choice([0.0, rng.random()])) for n in finished}
    kept = _numbers({**ranks})
    assert len(kept) == len(set(kept)) == min(len(finished), LIMIT)
    assert set(kept) <= set(finished)
    best = sorted(finished, key=lambda number: (ranks[number], number))[:BEST]
    assert set(best) <= set(kept)
    # The rest is picked by its places in the search.
    rest = sorted(set(finished) - set(best))
    if len(finished) > LIMIT:
        places = [round(float(x)) for x in np.linspace(0, len(rest) - 1, LIMIT - BEST)]
        assert sorted(set(kept) - set(best)) == [rest[place] for place in places]
    # A resumed search, which hears of them in another order, sees the same.
    assert kept == _numbers({number: ranks[number] for number in sorted(finished)})


def test_the_rest_is_spread_over_the_search() -> None:
    numbers = _numbers({n: (0, float(n)) for n in range(2000)})
    assert numbers[:BEST] == list(range(BEST))
    gaps = [b - a for a, b in zip(numbers[BEST:], numbers[BEST + 1 :], strict=False)]
    assert max(gaps) <= 2 * min(gaps)
    # Of several objectives no trial is the best: the spread alone counts.
    numbers = _numbers(dict.fromkeys(range(2000)))
    assert (len(numbers), numbers[0], numbers[-1]) == (LIMIT, 0, 1999)


def test_trials_that_still_run_are_shown_until_they_have_finished() -> None:
    study = optuna.create_study()
    picture = StudyPicture()
    _run(study, LIMIT - 1)
    running = [study.ask(SPACE) for _ in range(3)]
    _run(study, 100)
    shown = picture.show(study)
    assert shown is not None
    assert [t.number for t in shown if not t.state.is_finished()] == [t.number for t in running]
    assert len(shown) == LIMIT + 3
    for trial in running:
        study.tell(trial, state=TrialState.FAIL)
    shown = picture.show(study)
    assert shown is not None
    assert len(shown) == LIMIT
    fresh = StudyPicture().show(study)
    assert fresh is not None
    assert [t.number for t in shown] == [t.number for t in fresh]


def _plain(number: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(multivariate=True, constant_liar=True, seed=number)


def _distance(x: float, y: float) -> float:
    return (x + 2) ** 2 + (y - 1) ** 2


def _run(study: optuna.Study, trials: int, *, plain: bool = False) -> None:
    for _ in range(trials):
        number = len(study.trials)
        study.sampler = _plain(number) if plain else sampler_for(CONFIG, number, SPACE)
        trial = study.ask(SPACE)
        trial.set_constraint("in the left half", trial.params["x"])
        study.tell(trial, _distance(trial.params["x"], trial.params["y"]))


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_short_search_draws_what_plain_tpe_draws(direction: str) -> None:
    ours, plain = (optuna.create_study(direction=direction) for _ in range(2))
    _run(ours, 60)
    _run(plain, 60, plain=True)
    assert [t.params for t in ours.trials] == [t.params for t in plain.trials]


def test_a_long_search_repeats_exactly_and_still_draws_near_the_best() -> None:
    first, again, plain = (optuna.create_study() for _ in range(3))
    _run(first, LIMIT + 100)
    _run(plain, LIMIT + 100, plain=True)
    for trial in first.trials[: LIMIT + 90]:  # resumed here
        again.add_trial(trial)
    _run(again, 10)
    assert [t.params for t in again.trials] == [t.params for t in first.trials]
    # The hundred draws for which it does not see all trials are near to the best point as well: the
    # difference is small beside the distance of draws by chance.
    chance = random.Random(0)
    by_chance = [_distance(chance.uniform(-5, 5), chance.uniform(-5, 5)) for _ in range(999)]
    near, near_plain = (
        statistics.median(t.values[0] for t in study.trials[LIMIT:]) for study in (first, plain)
    )
    assert near - near_plain <= 0.02 * statistics.median(by_chance)
    assert sum(t.params["x"] <= 0 for t in first.trials[-30:]) >= 24


def test_several_objectives() -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    config = SearchConfig(name="a", second_objectives=("grey_skill",))
    for number in range(LIMIT + 20):
        study.sampler = sampler_for(config, number)
        trial = study.ask(SPACE)
        study.tell(trial, (trial.params["x"], trial.params["y"]))
    assert len(study.trials) == LIMIT + 20
