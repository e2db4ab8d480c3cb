"""What a search draws depends on its seed, the trial's number and the trials before it alone."""

from __future__ import annotations

import optuna
from optuna.distributions import FloatDistribution

from search.config import SearchConfig
from search.study.sampler import sampler_for

SPACE = {"x": FloatDistribution(-5, 5), "y": FloatDistribution(-5, 5)}


def _run(study: optuna.Study, trials: int, config: SearchConfig) -> None:
    for _ in range(trials):
        study.sampler = sampler_for(config, len(study.trials))
        trial = study.ask(SPACE)
        trial.set_constraint("in the left half", trial.params["x"])
        x, y = trial.params["x"], trial.params["y"]
        distance = (x + 2) ** 2 + (y - 1) ** 2
        study.tell(trial, (distance, x) if config.second_objectives else distance)


def test_a_resumed_search_draws_what_an_uninterrupted_one_would() -> None:
    config = SearchConfig(name="a", seed=4)
    first, again = optuna.create_study(), optuna.create_study()
    _run(first, 40, config)
    again.add_trials(first.trials[:25])
    _run(again, 15, config)
    assert [t.params for t in again.trials] == [t.params for t in first.trials]


def test_it_learns_the_objective_and_the_guards() -> None:
    study = optuna.create_study()
    _run(study, 60, SearchConfig(name="a"))
    last = [trial.params for trial in study.trials[-15:]]
    # By chance half would be left of 0, and one in eight within 2 of the best point.
    assert sum(params["x"] <= 0 for params in last) >= 12
    assert sum((p["x"] + 2) ** 2 + (p["y"] - 1) ** 2 < 4 for p in last) >= 8


def test_several_objectives() -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    _run(study, 20, SearchConfig(name="a", second_objectives=("grey_skill",)))
    assert len(study.best_trials) >= 1
