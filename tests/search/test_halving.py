"""Our successive halving decides as Optuna's does, also when another process goes on with it."""

from __future__ import annotations

import math
import random

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import TrialState

from search.halving import HalvingPruner


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
