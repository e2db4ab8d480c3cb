"""The ledger of a search, without Ray: repeats, convergence, several objectives, what is kept."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.stored_run.run import open_run
from models.metrics.names import METRICS
from search.config import EarlyStopping
from search.run import ended_trials, trial_rows
from search.run import ledger as ledger_module
from tests.search.ledgers import (
    EPOCHS,
    make_config,
    make_report,
    open_ledger,
    rows_of,
    run_to_end,
)


def test_configurations_that_differ_in_the_seed_only_share_their_id(tmp_path: Path) -> None:
    ledger = open_ledger(
        tmp_path,
        make_config(
            trials=3,
            space={
                name: {"low": 8, "high": 8}
                for name in ("generator_complexity", "discriminator_complexity")
            }
            | {"generator_lr": 1e-3, "discriminator_lr": 1e-4}
            | {"adversarial_factor": [0.1, 0.2], "pretrain_epochs": 0},
        ),
    )
    run_to_end(ledger)
    by_factor: dict[float, set[str]] = {}
    seeds = set()
    for row in rows_of(ledger).values():
        by_factor.setdefault(row["adversarial_factor"], set()).add(row["configuration_id"])
        seeds.add(row["seed"])
    assert all(len(ids) == 1 for ids in by_factor.values())
    assert len(seeds) == 3
    assert set(trial_rows.ATTRIBUTES) >= set(METRICS)


def test_finalists_train_again_with_fresh_seeds_and_are_never_pruned(tmp_path: Path) -> None:
    stopping = EarlyStopping(grace_epochs=1, reduction_factor=2)
    config = make_config(trials=4, finalists=2, repeats=2, early_stopping=stopping)
    ledger = open_ledger(tmp_path, config)
    assert ledger.remaining == ledger.total == 8
    first = ledger.ask()
    assert first is not None
    others = [ledger.ask() for _ in range(3)]
    # All search trials run: nothing to hand out, but the search is not over.
    assert ledger.ask() is None
    assert ledger.has_unfinished
    for opened, value in zip([first, *others], (3.0, 1.0, 2.0, 9.0), strict=True):
        assert opened is not None
        for epoch in range(1, EPOCHS + 1):
            report = make_report(epoch, value=value)
            opened.stopped = None  # all of them complete, so that there is a choice
            ledger.report(opened.trial_id, report)
            opened.stopped = None
        ledger.finish(opened.trial_id)
    assert [ended.trial_id for ended in ledger.ended.finalists(2)] == ["0001", "0002"]
    # Killed here: the repeats are asked once all the same.
    ledger = open_ledger(tmp_path, config)
    repeats = []
    while opened := ledger.ask():
        assert opened.repeat_of is not None
        for epoch in range(1, EPOCHS + 1):
            assert ledger.report(opened.trial_id, make_report(epoch, value=50.0)) == (
                epoch == EPOCHS
            )
        repeats.append(opened)
        ledger.finish(opened.trial_id)
        if len(repeats) == 2:
            ledger = open_ledger(tmp_path, config)
    assert sorted(str(one.repeat_of) for one in repeats) == ["0001", "0001", "0002", "0002"]
    rows = rows_of(ledger)
    assert len({row["seed"] for row in rows.values()}) == 8
    for one in repeats:
        row, original = rows[one.trial_id], rows[str(one.repeat_of)]
        assert row["phase"] == "repeat"
        assert row["state"] == "complete"
        assert row["configuration_id"] == original["configuration_id"]
        assert row["generator_lr"] == original["generator_lr"]
    assert ledger.remaining == 0


def test_a_search_ends_when_nothing_better_comes(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=20, patience_trials=3))
    ended = 0
    while opened := ledger.ask():
        for epoch in range(1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch, value=5.0 + opened.trial.number))
        ledger.finish(opened.trial_id)
        ended += 1
    assert ended == 4
    assert "3 trials" in (ledger.search_ended or "")
    assert open_ledger(tmp_path, make_config(trials=20, patience_trials=3)).ask() is None


def test_second_objectives_are_told_together_and_stop_nothing_early(tmp_path: Path) -> None:
    config = make_config(
        trials=3,
        second_objectives=("grey_skill",),
        early_stopping=EarlyStopping(grace_epochs=1, reduction_factor=2),
    )
    ledger = open_ledger(tmp_path, config)
    for value, skill in ((1.0, 0.1), (2.0, 0.3), (3.0, 0.2)):
        opened = ledger.ask()
        assert opened is not None
        for epoch in range(1, EPOCHS + 1):
            report = make_report(epoch, value=value, grey_skill=skill)
            assert ledger.report(opened.trial_id, report) is (epoch == EPOCHS)
        assert ledger.finish(opened.trial_id).state == "complete"
    study = ledger.study
    assert study.metric_names == ["set_swd", "grey_skill"]
    assert [trial.values for trial in study.trials] == [[1.0, 0.1], [2.0, 0.3], [3.0, 0.2]]
    assert [trial.number for trial in study.best_trials] == [0, 1]
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    # Resumed, the study is the same and the next trial is drawn from what was learnt.
    again = open_ledger(tmp_path, config)
    assert list(again.ended) == ["0000", "0001", "0002"]
    board = build_leaderboard(open_run(ledger.run.path))
    on_front = dict(zip(board["trial_id"], board["pareto_front"], strict=True))
    assert on_front == {"0000": True, "0001": True, "0002": False}
    assert all("front" in why for why in board.loc[board["pareto_front"], "why"])


def test_a_second_objective_that_is_not_finite_fails_the_trial(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1, second_objectives=("grey_skill",)))
    opened = ledger.ask()
    assert opened is not None
    assert ledger.report(opened.trial_id, make_report(1, grey_skill=math.nan))
    ended = ledger.finish(opened.trial_id)
    assert (ended.state, ended.reason) == ("failed", "grey_skill was nan after an epoch")


def test_only_the_best_complete_trials_keep_their_optimizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slimmed: list[str] = []
    monkeypatch.setattr(
        ledger_module, "drop_optimizers", lambda folder: slimmed.append(folder.name)
    )
    monkeypatch.setattr(ended_trials, "KEPT_OPTIMIZERS", 2)
    ledger = open_ledger(tmp_path, make_config(trials=6))
    for value in (3.0, 1.0, 2.0, 4.0, 0.5):
        opened = ledger.ask()
        assert opened is not None
        for epoch in range(1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch, value=value))
        ledger.finish(opened.trial_id)
    assert slimmed == ["0000", "0003", "0002"]
    opened = ledger.ask()
    assert opened is not None
    ledger.fail(opened.trial_id, "out of memory")
    ledger.finish(opened.trial_id)
    assert slimmed[-1] == "0005"


def test_the_sample_grid_in_the_study_takes_no_space(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    opened = ledger.ask()
    assert opened is not None
    samples = ledger.run.trial_folder(opened.trial_id) / "samples.png"
    samples.write_bytes(b"picture")
    for epoch in range(1, EPOCHS + 1):
        ledger.report(opened.trial_id, make_report(epoch))
    ledger.finish(opened.trial_id)
    (artifact,) = ledger.run.artifacts_path.iterdir()
    assert artifact.read_bytes() == b"picture"
    assert artifact.samefile(samples)
