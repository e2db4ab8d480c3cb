"""One order of the colours: incremental in the driver, all at once in the analysis."""

from __future__ import annotations

import math
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from analysis.leaderboard.colour_order import ColourOrder, TrialColours


def best_of(*trials: TrialColours) -> str | None:
    order = ColourOrder()
    for trial in trials:
        order.add(trial)
    return order.best and order.best.trial_id


def searched(trial_id: str, value: float, configuration: str | None = None) -> TrialColours:
    return TrialColours(trial_id, value, feasible=True, configuration=configuration)


def repeat(trial_id: str, value: float, configuration: str, *, feasible: bool) -> TrialColours:
    return TrialColours(trial_id, value, feasible, configuration, is_repeat=True)


def test_there_is_no_best_of_nothing() -> None:
    assert best_of() is None


def test_without_repeats_the_value_decides_then_the_number() -> None:
    assert best_of(searched("0000", 3.0), searched("0001", 2.0, "a")) == "0001"
    assert best_of(searched("0001", 2.0), searched("0000", 2.0)) == "0000"
    assert best_of(searched("10000", 2.0), searched("9999", 2.0)) == "9999"
    # Whether a guard holds is no part of it: its cost is in the value.
    assert best_of(TrialColours("0000", 2.0, feasible=False), searched("0001", 2.1)) == "0000"


def test_what_repeats_confirm_comes_first_by_their_mean() -> None:
    lucky, plain = searched("0000", 1.0), searched("0001", 2.0, "a")
    again = repeat("0002", 2.4, "a", feasible=True)
    assert best_of(lucky, plain, again) == "0001"
    # Of a configuration the trial with the best colours of its own.
    better = repeat("0003", 1.9, "a", feasible=True)
    assert best_of(lucky, plain, again, better) == "0003"
    # The trial that was chosen for being good is no part of the mean.
    other = (searched("0004", 0.5, "b"), repeat("0005", 2.2, "b", feasible=True))
    assert best_of(lucky, plain, again, better, *other) == "0003"


def test_repeats_that_break_a_guard_count_as_the_worst_trial() -> None:
    """The example of 8.90 once, 8.25 over three repeats that break a guard, and 8.60."""
    first = searched("0000", 8.90, "a")
    broken = [repeat(f"000{i}", 8.15 + 0.05 * i, "a", feasible=False) for i in (1, 2, 3)]
    assert best_of(first, *broken, searched("0004", 8.60)) == "0004"
    assert best_of(first, *broken, searched("0004", 8.95)) == "0001"


@st.composite
def _trials(draw: st.DrawFn) -> list[TrialColours]:
    trials = []
    for number in range(draw(st.integers(0, 25))):
        configuration = draw(st.sampled_from([None, "a", "b", "c"]))
        trials.append(
            TrialColours(
                f"{number:04d}",
                draw(st.sampled_from([1.0, 2.0, 3.0, 4.0, math.inf])),
                draw(st.booleans()),
                configuration,
                draw(st.booleans()),
            )
        )
    return trials


def _reference(trials: list[TrialColours]) -> str | None:
    """The rule, written down once more over all trials at once."""

    def name(trial: TrialColours) -> str:
        return trial.configuration or trial.trial_id

    keys = {}
    for configuration, group in groupby(sorted(trials, key=name), key=name):
        members = list(group)
        repeats = [trial for trial in members if trial.is_repeat and trial.configuration]
        confirmed = bool(repeats) and all(trial.feasible for trial in repeats)
        values = [trial.badness for trial in (repeats if confirmed else members)]
        value = sum(values) / len(values) if confirmed else (max if repeats else min)(values)
        keys[configuration] = not confirmed, value
    own = {trial.trial_id: (trial.badness, trial.trial_id) for trial in trials}
    first = {c: min(own[t.trial_id] for t in trials if name(t) == c) for c in keys}
    return min(
        (trial.trial_id for trial in trials),
        key=lambda i: next((*keys[name(t)], first[name(t)], own[i]) for t in trials if t[0] == i),
        default=None,
    )


@given(trials=_trials(), shuffled=st.randoms(use_true_random=False))
def test_the_order_in_which_trials_end_does_not_matter(
    trials: list[TrialColours], shuffled: object
) -> None:
    order = ColourOrder()
    for count, trial in enumerate(trials, start=1):
        order.add(trial)
        assert order.best is not None
        assert order.best.trial_id == _reference(trials[:count])
    mixed = [*trials]
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    assert best_of(*mixed) == _reference(trials)
