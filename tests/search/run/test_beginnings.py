"""Trials that share a beginning, in the real ledger: one trains it, the others wait or go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.config import EarlyStopping, SearchConfig
from search.run.directory import read_json, read_rows
from search.run.ledger import MAX_HELD, Ledger
from search.run.trial_rows import OpenTrial
from tests.search.ledgers import make_config, make_report, open_ledger, rows_of

#: what the generator's training depends on, all fixed but its width
STAGE = {"generator_lr": 1e-3}
ONE = {**STAGE, "generator_complexity": 8, "pretrain_epochs": 2}
TWO = {**STAGE, "generator_complexity": [8, 9], "pretrain_epochs": 2}
EPOCHS = 3


def config(space: dict[str, Any], **changes: Any) -> SearchConfig:
    return make_config(trials=12, space=space, **changes)


def asked(ledger: Ledger) -> OpenTrial:
    trial = ledger.ask()
    assert trial is not None
    return trial


def train(ledger: Ledger, trial: OpenTrial, *, to: int, value: float = 5.0) -> bool:
    """Report epochs up to `to`; whether the trial is to stop."""
    stops = [
        ledger.report(trial.trial_id, make_report(epoch, value=value))
        for epoch in range(trial.reported_epoch + 1, to + 1)
    ]
    return stops[-1]


def test_while_one_trains_a_beginning_those_that_need_it_wait(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE))
    first = asked(ledger)
    assert ledger.ask() is None
    assert ledger.has_unfinished
    train(ledger, first, to=1)
    assert ledger.ask() is None
    train(ledger, first, to=2)
    others = [asked(ledger) for _ in range(2)]
    assert [other.trial_id for other in others] == ["0001", "0002"]


def test_a_trial_waits_no_longer_than_for_the_epochs_it_needs(tmp_path: Path) -> None:
    ledger = open_ledger(
        tmp_path, config({**ONE, "pretrain_epochs": [1, 2]}, points=({"pretrain_epochs": 2},))
    )
    trials = [asked(ledger)]
    train(ledger, trials[0], to=1)
    while trial := ledger.ask():
        trials.append(trial)
    assert trials[0].settings.pretrain_epochs == 2
    assert len(trials) > 1
    for trial in trials[1:]:
        assert trial.settings.pretrain_epochs == 1


def test_meanwhile_trials_with_another_generator_run(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(TWO))
    running = [asked(ledger), asked(ledger)]
    assert {trial.settings.generator_complexity for trial in running} == {8, 9}
    assert ledger.ask() is None
    assert len(ledger.retry_queue) <= MAX_HELD
    assert len(ledger.study.trials) == 2 + len(ledger.retry_queue)


def test_no_more_than_a_few_are_drawn_ahead(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE))
    asked(ledger)
    assert [ledger.ask() for _ in range(3)] == [None] * 3
    assert len(ledger.retry_queue) == MAX_HELD


def test_every_trial_is_trained_once_whoever_waits(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(TWO, finalists=1, repeats=2))
    running: list[OpenTrial] = []
    ended = []
    while True:
        while len(running) < 3 and (trial := ledger.ask()):
            running.append(trial)
        if not running:
            break
        trial = running.pop(0)
        if train(ledger, trial, to=trial.reported_epoch + 1):
            ended.append(ledger.finish(trial.trial_id).trial_id)
        else:
            running.append(trial)
    assert sorted(ended) == [f"{number:04d}" for number in range(14)]
    assert not ledger.has_unfinished


def test_the_end_of_the_trainer_frees_those_that_wait(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE))
    first = asked(ledger)
    train(ledger, first, to=1)
    assert ledger.ask() is None
    assert ledger.retry_or_fail(first.trial_id) is None  # its process died
    second = asked(ledger)
    assert second.trial_id == "0001"
    # The first one, when its delay is over, waits for the second: it needs the same epoch.
    assert second.trains_for(first, trained=1)


def test_a_resumed_search_trains_a_beginning_once(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE))
    first = asked(ledger)
    train(ledger, first, to=1)
    assert ledger.ask() is None  # holds some
    drawn = len(ledger.study.trials)
    again = open_ledger(tmp_path, config(ONE))
    assert asked(again).trial_id == "0000"
    assert again.ask() is None
    assert len(again.study.trials) == drawn
    assert again.remaining == ledger.remaining


def test_trials_share_the_seed_of_their_beginning_and_nothing_else(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE, seed=3, finalists=1, repeats=2))
    while trial := ledger.ask():
        train(ledger, trial, to=EPOCHS)
        ledger.finish(trial.trial_id)
    rows = list(rows_of(ledger).values())
    assert len({row["seed"] for row in rows}) == 14
    searched = {row["pretrain_seed"] for row in rows if row["phase"] == "search"}
    assert len(searched) == 1
    assert None not in searched
    repeats = [row for row in rows if row["phase"] == "repeat"]
    assert [row["pretrain_seed"] for row in repeats] == [None, None]
    ids = {row["trial_id"]: row["configuration_id"] for row in rows}
    for row in repeats:
        assert row["configuration_id"] == ids[row["repeat_of"]]


@pytest.mark.parametrize(
    "space",
    [
        {"generator_lr": {"low": 1e-4, "high": 1e-3}},
        {"pretrain_epochs": 0, "generator_lr": 1e-3, "generator_complexity": 8},
        {"pretrain_epochs": 2, "generator_lr": {"low": 1e-4, "high": 1e-3}},
        {
            **ONE,
            "discriminator_complexity": 4,
            "discriminator_lr": 1e-4,
            "adversarial_factor": 0.1,
        },
    ],
    ids=[
        "a rate from a continuum",
        "no pre-training",
        "both, and it is named",
        "nothing sampled",
    ],
)
def test_where_nothing_can_be_shared_all_is_as_it_was(tmp_path: Path, space: Any) -> None:
    ledger = open_ledger(tmp_path, config(space))
    trials = [asked(ledger) for _ in range(3)]
    assert [trial.settings.pretrain_seed for trial in trials] == [None] * 3
    assert [trial.stage for trial in trials] == [None] * 3


def test_by_default_trials_with_and_without_a_shared_beginning_are_searched(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=24, max_epochs=5, space={}))
    trials = [asked(ledger) for _ in range(12)]
    assert {trial.settings.pretrain_epochs for trial in trials} == {0, 2}
    assert all((trial.stage is None) == (not trial.settings.pretrain_epochs) for trial in trials)


def test_a_trial_of_an_earlier_version_goes_on_as_it_began(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE))
    trial = asked(ledger)
    rows = ledger.rows_path.read_text().replace(
        f',"pretrain_seed":{trial.settings.pretrain_seed}', ""
    )
    assert "pretrain_seed" not in rows
    ledger.rows_path.write_text(rows)
    again = asked(open_ledger(tmp_path, config(ONE)))
    assert again.settings == replace(trial.settings, pretrain_seed=None)


def test_what_was_shared_is_in_the_rows_also_after_a_kill(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, config(ONE))
    trial = asked(ledger)
    for epoch in (1, 2):
        report = replace(make_report(epoch), shared_epochs=epoch, seconds_saved=4.5 * epoch)
        ledger.report(trial.trial_id, report)
    again = open_ledger(tmp_path, config(ONE))
    resumed = asked(again)
    assert resumed.report is not None
    assert (resumed.report.shared_epochs, resumed.report.seconds_saved) == (2, 9.0)
    last = replace(make_report(3), shared_epochs=2, seconds_saved=9.0)
    again.report(resumed.trial_id, last)
    ended = again.finish(resumed.trial_id)
    assert ended.seconds_saved == again.ended.seconds_saved == 9.0
    row = rows_of(again)["0000"]
    assert (row["shared_epochs"], row["seconds_saved"]) == (2, 9.0)
    settings = read_json(again.run.trial_folder("0000") / "parameters.json")
    assert settings["pretrain_seed"] == row["pretrain_seed"]
    validations = read_rows(again.run.trial_folder("0000") / "validation.jsonl")
    assert [row["shared_epochs"] for row in validations] == [1, 2, 2]


def test_early_stopping_compares_what_trials_did_against_their_discriminators(
    tmp_path: Path,
) -> None:
    stopping = EarlyStopping(grace_epochs=1, reduction_factor=2)
    ledger = open_ledger(tmp_path, config({**TWO, "pretrain_epochs": 1}, early_stopping=stopping))
    values = (5.0, 7.0, 3.0, 6.0)
    stops: list[bool] = []
    for value in values:
        trial = asked(ledger)
        # Nobody is stopped for a beginning, however poor or good it is ...
        if trial.reported_epoch < 1:
            assert not train(ledger, trial, to=1, value=90.0 / value)
        # ... and at their first epoch after it the better half goes on.
        stops.append(train(ledger, trial, to=2, value=value))
        ledger.finish(trial.trial_id)
    assert stops == [False, True, False, True]
