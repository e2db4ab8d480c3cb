"""Trials whose process died wait before they are taken up again, and do not wait for ever."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.run.directory import read_rows
from search.run.ledger import Ledger
from search.run.retry_queue import DELAYS_SEC, RetryQueue
from search.run.trial_rows import TrialOutcome
from tests.search.ledgers import EPOCHS, make_config, make_report, open_ledger


@dataclass
class Clock:
    now: float = 100.0
    ledgers: list[Ledger] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(
        "search.run.ledger.RetryQueue", lambda trials: RetryQueue(trials, clock=clock)
    )
    return clock


@given(
    deaths=st.lists(st.integers(1, 9), max_size=8),
    steps=st.lists(st.floats(0.1, 20.0), min_size=1, max_size=40),
)
def test_each_comes_out_once_and_never_before_its_time(
    deaths: list[int], steps: list[float]
) -> None:
    clock = Clock()
    waiting = RetryQueue([], clock=clock)
    trials: list[Any] = [SimpleNamespace(deaths=count, put=clock.now) for count in deaths]
    for trial in trials:
        waiting.put(trial)
    taken = []
    for step in [*steps, 100.0]:
        clock.now += step
        while (trial := waiting.take()) is not None:
            assert clock.now - 100.0 >= DELAYS_SEC[min(trial.deaths, len(DELAYS_SEC)) - 1]
            taken.append(trial)
    assert sorted(map(id, taken)) == sorted(map(id, trials))
    assert len(waiting) == 0


def test_a_trial_whose_process_died_goes_on_after_a_while(tmp_path: Path, clock: Clock) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    first = ledger.ask()
    assert first is not None
    ledger.report(first.trial_id, make_report(1))
    assert ledger.retry_or_fail(first.trial_id) is None
    second = ledger.ask()  # meanwhile others run
    assert second is not None
    assert second.trial_id == "0001"
    assert ledger.ask() is None
    assert ledger.has_unfinished
    assert ledger.remaining == 1
    clock.now += DELAYS_SEC[0]
    again = ledger.ask()
    assert again is first
    assert again.reported_epoch == 1
    for opened in (again, second):
        for epoch in range(opened.reported_epoch + 1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch))
        assert ledger.finish(opened.trial_id).state == "complete"
    assert not ledger.has_unfinished
    assert ledger.ask() is None
    rows = read_rows(ledger.run.trial_folder("0000") / "validation.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_a_process_that_dies_again_and_again_is_a_failure(tmp_path: Path, clock: Clock) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2, max_retries=2))
    opened = ledger.ask()
    assert opened is not None
    for epoch in (1, 2):  # with an epoch in between they do not add up
        for delay in DELAYS_SEC[:2]:
            assert ledger.retry_or_fail(opened.trial_id) is None
            clock.now += delay
            assert ledger.ask() is opened
        ledger.report(opened.trial_id, make_report(epoch))
    assert ledger.retry_or_fail(opened.trial_id) is None
    clock.now += DELAYS_SEC[0]
    ledger.ask()
    assert ledger.retry_or_fail(opened.trial_id) is None
    clock.now += DELAYS_SEC[1]
    ledger.ask()
    ended = ledger.retry_or_fail(opened.trial_id)
    assert ended is not None
    assert ended.state == "failed"
    assert "died 3 times in a row" in (ended.reason or "")
    following = ledger.ask()
    assert following is not None
    assert following.trial_id == "0001"


def test_without_retries_the_first_death_is_a_failure(tmp_path: Path, clock: Clock) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1, max_retries=0))
    opened = ledger.ask()
    assert opened is not None
    ended = ledger.retry_or_fail(opened.trial_id)
    assert ended is not None
    assert "died once" in (ended.reason or "")
    assert not ledger.has_unfinished


def test_a_trial_that_was_stopped_ends_as_such_though_its_process_died(
    tmp_path: Path, clock: Clock
) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    opened = ledger.ask()
    assert opened is not None
    opened.stopped = TrialOutcome("pruned", "stopped at epoch 1: behind")
    ended = ledger.retry_or_fail(opened.trial_id)
    assert ended is not None
    assert ended.state == "pruned"


def test_the_end_of_the_time_ends_waiting_trials_too(tmp_path: Path, clock: Clock) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=3))
    first, second = ledger.ask(), ledger.ask()
    assert first is not None
    assert second is not None
    ledger.report(first.trial_id, make_report(1))
    ledger.retry_or_fail(first.trial_id)
    ledger.stop_all("stopped by the time budget of 10 s")
    ended = {each.trial_id: each.state for each in ledger.finish_all()}
    assert ended == {first.trial_id: "pruned", second.trial_id: "pruned"}
    assert all(trial.state.is_finished() for trial in ledger.study.trials)


def test_repeats_wait_for_a_search_trial_that_waits(tmp_path: Path, clock: Clock) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1, finalists=1, repeats=2))
    opened = ledger.ask()
    assert opened is not None
    ledger.retry_or_fail(opened.trial_id)
    assert ledger.ask() is None
    clock.now += DELAYS_SEC[0]
    assert ledger.ask() is opened
    for epoch in range(1, EPOCHS + 1):
        ledger.report(opened.trial_id, make_report(epoch))
    ledger.finish(opened.trial_id)
    repeat = ledger.ask()
    assert repeat is not None
    ledger.retry_or_fail(repeat.trial_id)
    other = ledger.ask()
    assert other is not None
    assert (repeat.repeat_of, other.repeat_of) == ("0000", "0000")
    assert ledger.ask() is None  # no third repeat in the place of the one that waits
    clock.now += DELAYS_SEC[0]
    assert ledger.ask() is repeat
    assert TrialState.FAIL not in [trial.state for trial in ledger.study.trials]
