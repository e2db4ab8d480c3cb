"""Our successive halving decides as Optuna's does, also when another process goes on with it,
except that trials which satisfy the guards are not stopped for those that do not.
"""

from __future__ import annotations

import math
import random

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import TrialState

from search.study.halving import HalvingPruner


def _study(direction: str, *, plain: bool, factor: int) -> optuna.Study:
    pruner = SuccessiveHalvingPruner if plain else HalvingPruner
    return optuna.create_study(
        direction=direction, pruner=pruner(min_resource=2, reduction_factor=factor)
    )


@given(
    seed=st.integers(0, 10_000),
    direction=st.sampled_from(["minimize", "maximize"]),
    factor=st.integers(2, 4),
    resumed=st.integers(0, 60),
)
def test_decisions_are_those_of_optuna(
    seed: int, direction: str, factor: int, resumed: int
) -> None:
    rng = random.Random(seed)
    ours, plain = (_study(direction, plain=each, factor=factor) for each in (False, True))
    running: list[tuple[optuna.Trial, optuna.Trial, int]] = []
    for event in range(60):
        if event == resumed:
            ours.pruner = HalvingPruner(min_resource=2, reduction_factor=factor)
        if len(running) < 3:
            running.append((ours.ask(), plain.ask(), 1))
        trial, reference, step = running.pop(rng.randrange(len(running)))
        # Ties are common, and a report may lie past a rung.
        value = math.nan if rng.random() < 0.03 else float(rng.randrange(8))
        trial.report(value, step)
        reference.report(value, step)
        stops = trial.should_prune()
        assert stops == reference.should_prune()
        assert trial.storage.get_trial_system_attrs(trial._trial_id) == (
            reference.storage.get_trial_system_attrs(reference._trial_id)
        )
        if stops or step >= 2 * factor**2:
            state = TrialState.PRUNED if stops else TrialState.FAIL
            ours.tell(trial, state=state)
            plain.tell(reference, state=state)
        else:
            running.append((trial, reference, step + rng.choice([1, 1, 2])))


def test_where_all_satisfy_the_guards_decisions_are_those_of_optuna() -> None:
    rng = random.Random(0)
    ours, plain = (_study("minimize", plain=each, factor=3) for each in (False, True))
    assert isinstance(ours.pruner, HalvingPruner)
    ours.pruner.is_feasible = lambda number: True
    for _ in range(60):
        trial, reference = ours.ask(), plain.ask()
        for step in (2, 6, 18):
            value = rng.random()
            trial.report(value, step)
            reference.report(value, step)
            stops = trial.should_prune()
            assert stops == reference.should_prune()
            if stops:
                break


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_who_satisfies_the_guards_is_not_stopped_for_who_does_not(
    direction: str, resumed: bool
) -> None:
    """Six that break a guard have the best values; of those that do not, the best third goes on."""
    study = _study(direction, plain=False, factor=3)
    sign = 1.0 if direction == "minimize" else -1.0
    goes_on = []
    #: (value, whether the guards are satisfied)
    reports = [(n / 10, False) for n in range(6)]
    reports += [(9.0, True), (9.2, True), (9.1, True), (8.0, True), (8.1, False), (8.9, True)]
    for number, (value, feasible) in enumerate(reports):
        if resumed:
            study.pruner = HalvingPruner(min_resource=2, reduction_factor=3)
        assert isinstance(study.pruner, HalvingPruner)
        study.pruner.is_feasible = lambda asked, number=number, feasible=feasible: (
            feasible if asked == number else None
        )
        trial = study.ask()
        trial.report(sign * value, 2)
        goes_on.append(not trial.should_prune())
    assert goes_on[6:] == [True, False, False, True, False, False]


def test_the_trials_of_a_study_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    study = _study("minimize", plain=False, factor=3)
    listed = []
    get_trials = study.get_trials

    def count(**options: bool) -> list[optuna.trial.FrozenTrial]:
        listed.append(options)
        return get_trials(**options)

    monkeypatch.setattr(study, "get_trials", count)
    for value in (3.0, 2.0, 4.0, 1.0):
        trial = study.ask()
        trial.report(value, 2)
        trial.should_prune()
    assert len(listed) == 1
