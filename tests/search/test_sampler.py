"""A long search draws from a bounded picture of its trials, and draws as well from it."""

from __future__ import annotations

import random
import statistics
import warnings

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from search import sampler as sampler_module
from search.config import SearchConfig
from search.sampler import sampler_for, thinned

SPACE = {"x": FloatDistribution(-5, 5), "y": FloatDistribution(-5, 5)}
CONFIG = SearchConfig(name="a")
LIMIT, BEST = 300, 50


@pytest.fixture(autouse=True)
def _smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "LIMIT", LIMIT)
    monkeypatch.setattr(sampler_module, "BEST", BEST)


def _trials(states: list[str], values: list[float]) -> list[FrozenTrial]:
    trials = []
    for number, (state, value) in enumerate(zip(states, values, strict=False)):
        trial = create_trial(state=TrialState[state], value=value if state == "COMPLETE" else None)
        trial.number = number
        trials.append(trial)
    return trials


@given(count=st.integers(0, 500), seed=st.integers(0, 2**32))
def test_what_is_kept(count: int, seed: int) -> None:
    rng = random.Random(seed)
    states = rng.choices(["COMPLETE", "COMPLETE", "FAIL", "RUNNING"], k=count)
    values = [rng.choice([0.0, rng.random()]) for _ in range(count)]
    trials = _trials(states, values)
    finished = {t.number: t for t in trials if t.state.is_finished()}
    ranks = {n: (t.state != TrialState.COMPLETE, t.value or 0.0) for n, t in finished.items()}
    kept = thinned(trials, ranks)
    numbers = [trial.number for trial in kept]
    assert numbers == sorted(set(numbers))
    assert {t.number for t in trials if not t.state.is_finished()} <= set(numbers)
    kept_finished = set(numbers) & set(finished)
    assert len(kept_finished) == min(len(finished), LIMIT)
    dropped = set(finished) - kept_finished
    better = sorted(ranks[number] for number in kept_finished)[:BEST]
    assert all(ranks[number] >= better[-1] for number in dropped)


def test_the_rest_is_spread_over_the_search() -> None:
    trials = _trials(["COMPLETE"] * 2000, [float(i) for i in range(2000)])
    numbers = [t.number for t in thinned(trials, {n: (0, float(n)) for n in range(2000)})]
    assert numbers[:BEST] == list(range(BEST))
    gaps = [b - a for a, b in zip(numbers[BEST:], numbers[BEST + 1 :], strict=False)]
    assert max(gaps) <= 2 * min(gaps)
    # Of several objectives no trial is the best: the spread alone counts.
    numbers = [t.number for t in thinned(trials, {})]
    assert (len(numbers), numbers[0], numbers[-1]) == (LIMIT, 0, 1999)


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
