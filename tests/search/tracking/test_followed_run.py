"""Rows of a run that is being written: each once, and only whole ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.tracking import followed_run
from search.tracking.followed_run import FollowedRun, GrowingRows
from tests.search.ledgers import EPOCHS, make_config, make_report, open_ledger, run_to_end


def test_a_row_is_given_out_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = GrowingRows(path)
    assert rows.read() == []
    path.write_text('{"a": 1}\n{"a": 2')
    assert rows.read() == [{"a": 1}]
    assert rows.read() == []
    with path.open("a") as file:
        file.write('2}\nwhat a disk made of a row\n{"a": 3}\n')
    assert rows.read(limit=1) == [{"a": 22}]
    assert rows.read() == [{"a": 3}]


def test_nothing_is_lost_where_there_is_much_to_make_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_run, "MANY", 2)
    ledger = open_ledger(tmp_path, make_config(trials=7))
    ids = run_to_end(ledger)
    followed = FollowedRun(ledger.run.path, "mlflow")
    seen = []
    for trial in followed.news():
        trial.started = True
        if trial.end is None:
            continue  # the row of its end is among the next ones
        assert [epoch.epoch for epoch in trial.epochs] == list(range(1, EPOCHS + 1))
        while trial.epochs:
            followed.note_epoch(trial)
        seen.append(trial.begin.trial_id)
        followed.note_end(trial)
    assert seen == ids
    assert list(FollowedRun(ledger.run.path, "mlflow").news()) == []


def test_an_epoch_comes_with_its_own_losses(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    opened = ledger.ask()
    assert opened is not None
    followed = FollowedRun(ledger.run.path, "wandb")
    for epoch in (1, 2):
        report = make_report(epoch)
        report.windows[-1]["total_ema"] = epoch / 8
        ledger.report(opened.trial_id, report)
    (trial,) = followed.news()
    assert [epoch.values["total_ema"] for epoch in trial.epochs] == [1 / 8, 2 / 8]
    assert [epoch.step for epoch in trial.epochs] == [10, 20]
    # The clock of the training: told again, an epoch has the same moment.
    assert [epoch.at_ms - trial.begin.started_ms for epoch in trial.epochs] == [1500, 3000]
