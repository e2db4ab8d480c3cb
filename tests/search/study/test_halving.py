"""Our successive halving decides as Optuna's does, also when another process goes on with it."""

from __future__ import annotations

import math
import random

import optuna
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
)
def test_decisions_are_those_of_optuna(
    seed: int, direction: str, factor: int, resumed: int
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
        stops = halving.should_stop(trial, epoch=step, value=value)
        assert stops == reference.should_prune()
        if stops or step >= 2 * factor**2:
            state = TrialState.PRUNED if stops else TrialState.FAIL
            ours.tell(trial, state=state)
            plain.tell(reference, state=state)
        else:
            running.append((trial, reference, step + rng.choice([1, 1, 2])))


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
    assert halving.should_stop(study.ask(), epoch=2, value=1.5)
    assert not halving.should_stop(study.ask(), epoch=2, value=0.5)


def test_what_the_last_version_kept_in_the_study_counts() -> None:
    """It kept whether the guards were satisfied beside each value."""
    study = optuna.create_study()
    for value in (1.0, 2.0, 3.0):
        trial = study.ask()
        trial.set_user_attr("rung_0", {"value": value, "feasible": True})
        study.tell(trial, state=TrialState.PRUNED)
    halving = _halving(study)
    assert halving.should_stop(study.ask(), epoch=2, value=1.5)
    assert not halving.should_stop(study.ask(), epoch=2, value=0.5)
