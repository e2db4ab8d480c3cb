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
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search.study.halving import SuccessiveHalving


def _studies(direction: str, factor: int) -> tuple[optuna.Study, optuna.Study]:
    """Ours, and one with Optuna's pruner."""
    pruner = SuccessiveHalvingPruner(min_resource=2, reduction_factor=factor)
    plain = optuna.create_study(direction=direction, pruner=pruner)
    return optuna.create_study(direction=direction), plain


def _halving(study: optuna.Study, factor: int = 3) -> SuccessiveHalving:
    return SuccessiveHalving(
        grace_epochs=2,
        reduction_factor=factor,
        minimize=study.direction == StudyDirection.MINIMIZE,
        trials=study.trials,
    )


@given(
    seed=st.integers(0, 10_000),
    direction=st.sampled_from(["minimize", "maximize"]),
    factor=st.integers(2, 4),
    resumed=st.integers(0, 60),
    feasible=st.booleans(),
)
def test_where_guards_make_no_difference_decisions_are_those_of_optuna(
    seed: int, direction: str, factor: int, resumed: int, feasible: bool
) -> None:
    rng = random.Random(seed)
    ours, plain = _studies(direction, factor)
    halving = _halving(ours, factor)
    running: list[tuple[optuna.Trial, optuna.Trial, int]] = []
    for event in range(60):
        if event == resumed:
            halving = _halving(ours, factor)
        if len(running) < 3:
            running.append((ours.ask(), plain.ask(), 1))
        trial, reference, step = running.pop(rng.randrange(len(running)))
        # Ties are common, and a report may lie past a rung.
        value = math.nan if rng.random() < 0.03 else float(rng.randrange(8))
        reference.report(value, step)
        stops = halving.should_stop(trial, epoch=step, value=value, feasible=feasible)
        assert stops == reference.should_prune()
        if stops or step >= 2 * factor**2:
            state = TrialState.PRUNED if stops else TrialState.FAIL
            ours.tell(trial, state=state)
            plain.tell(reference, state=state)
        else:
            running.append((trial, reference, step + rng.choice([1, 1, 2])))


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_who_satisfies_the_guards_is_not_stopped_for_who_does_not(
    direction: str, resumed: bool
) -> None:
    """Six that break a guard have the best values; of those that do not, the best third goes on."""
    study = optuna.create_study(direction=direction)
    halving = _halving(study)
    sign = 1.0 if direction == "minimize" else -1.0
    goes_on = []
    #: (value, whether the guards are satisfied)
    reports = [(n / 10, False) for n in range(6)]
    reports += [(9.0, True), (9.2, True), (9.1, True), (8.0, True), (8.1, False), (8.9, True)]
    for value, feasible in reports:
        if resumed:
            halving = _halving(study)
        stops = halving.should_stop(study.ask(), epoch=2, value=sign * value, feasible=feasible)
        goes_on.append(not stops)
    assert goes_on[6:] == [True, False, False, True, False, False]


def test_what_earlier_versions_kept_in_the_study_counts() -> None:
    """They were a pruner of Optuna, with its names in the study."""
    study, plain = _studies("minimize", 3)
    for value in (1.0, 2.0, 3.0):
        trial = plain.ask()
        trial.report(value, 2)
        trial.should_prune()
        plain.tell(trial, state=TrialState.PRUNED)
    study.add_trials(plain.trials)
    assert study.trials[0].system_attrs["completed_rung_0"] == 1.0
    halving = _halving(study)
    assert halving.should_stop(study.ask(), epoch=2, value=1.5, feasible=False)
    assert not halving.should_stop(study.ask(), epoch=2, value=0.5, feasible=False)


@pytest.mark.parametrize("resumed", [False, True])
def test_a_beginning_counts_once_at_a_rung(resumed: bool) -> None:
    study = optuna.create_study()
    halving = _halving(study)

    def stops(value: float, beginning: str | None) -> bool:
        trial = study.ask()
        return halving.should_stop(trial, epoch=2, value=value, feasible=True, beginning=beginning)

    assert [stops(1.0, "good") for _ in range(9)] == [False] * 9
    if resumed:
        halving = _halving(study)
    # One beginning and two plain trials: a third of these is the good beginning alone.
    assert stops(2.0, None)
    assert stops(3.0, None)
    assert not stops(1.0, "good")
    assert stops(2.5, "other")
