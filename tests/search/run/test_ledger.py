"""The ledger of a search, without Ray: states, kills at every moment, and what is written."""

from __future__ import annotations

import contextlib
import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from models.training.report import EpochReport
from search.config import EarlyStopping
from search.progress.display import Progress
from search.run import ledger as ledger_module
from search.run import trial_files
from search.run.directory import read_rows
from search.run.lost_rows import row_from_study
from search.run.photos import SearchPhotos
from search.study.asking import enqueue_point
from search.tune.driver import AllTrialsFailedError, run_search
from tests.search.ledgers import (
    EPOCHS,
    WINDOWS,
    make_config,
    make_report,
    open_ledger,
    rows_of,
    run_to_end,
)


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


def test_a_complete_trial_is_told_its_best_value(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    assert run_to_end(ledger) == ["0000"]
    (trial,) = ledger.study.trials
    assert trial.state is TrialState.COMPLETE
    assert trial.value == 5.0
    assert trial.intermediate_values == {1: 5.0, 2: 5.0, 3: 5.0}
    # Guards are in the value; constraints would be a cliff again.
    assert trial.constraints == {}
    assert trial.user_attrs["parameter_ratio"] > 0
    row = rows_of(ledger)["0000"]
    assert row["state"] == "complete"
    assert row["epochs"] == EPOCHS
    assert row["set_swd"] == 5.0
    assert row["adversarial_trend"] in ("rising", "stagnant", "falling", "unclear")
    assert len(read_rows(ledger.run.trial_folder("0000") / "curves.jsonl")) == EPOCHS * WINDOWS
    assert ledger.ask() is None


def test_an_early_stop_is_pruned_with_its_last_value(tmp_path: Path) -> None:
    config = make_config(trials=4, early_stopping=EarlyStopping(grace_epochs=1, reduction_factor=2))
    ledger = open_ledger(tmp_path, config)
    stopped = []
    for value in (1.0, 2.0, 3.0, 4.0):
        opened = ledger.ask()
        assert opened is not None
        for epoch in range(1, EPOCHS + 1):
            if ledger.report(opened.trial_id, make_report(epoch, value=value + epoch)):
                break
        stopped.append(ledger.finish(opened.trial_id))
    assert [ended.state for ended in stopped] == ["complete", "pruned", "pruned", "pruned"]
    pruned = ledger.study.trials[1]
    assert pruned.state is TrialState.PRUNED
    assert pruned.value == 3.0  # the last value it reported, at the first rung
    assert pruned.last_step == 1
    assert "epoch 1" in rows_of(ledger)["0001"]["reason"]


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (None, "total was nan at step 7"),
        (make_report(1, value=math.nan), "set_swd was nan"),
    ],
)
def test_failures_are_told_as_failed_with_the_reason(
    tmp_path: Path, report: EpochReport | None, words: str
) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    opened = ledger.ask()
    assert opened is not None
    if report is None:
        ledger.fail(opened.trial_id, "non-finite loss: total was nan at step 7")
    else:
        assert ledger.report(opened.trial_id, report)
    ended = ledger.finish(opened.trial_id)
    assert ended.state == "failed"
    assert words in (ended.reason or "")
    assert ledger.study.trials[0].state is TrialState.FAIL
    assert words in ledger.study.trials[0].user_attrs["reason"]
    assert words in rows_of(ledger)["0000"]["reason"]
    # NaN is no JSON: strict readers must be able to read what was written.
    text = (ledger.run.path / "trials.jsonl").read_text()
    for line in text.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} in the rows"))


def test_a_search_in_which_every_trial_failed_ends_with_the_reason(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    while opened := ledger.ask():
        ledger.fail(opened.trial_id, "out of memory")
        ledger.finish(opened.trial_id)
    photos = SearchPhotos(caches={}, summary={"train": 100})
    with pytest.raises(AllTrialsFailedError, match=r"all 2 trials failed.*out of memory"):
        run_search(ledger.run, ledger.config, ledger, photos, address=None, progress=Progress())


def test_study_and_ledger_agree_on_what_a_broken_guard_costs(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=3))
    for value, grey_skill in ((2.0, 0.1), (1.9, -0.1), (1.3, -0.1)):
        opened = ledger.ask()
        assert opened is not None
        for epoch in range(1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch, value=value, grey_skill=grey_skill))
        ledger.finish(opened.trial_id)
    assert ledger.best is not None
    assert [ended.feasible for ended in ledger.ended.values()] == [True, False, False]
    values = [ended.value for ended in ledger.ended.values()]
    assert values[0] == 2.0 < values[1]  # type: ignore[operator]
    assert values == [trial.value for trial in ledger.study.trials]
    assert values == [row["penalized_objective"] for row in rows_of(ledger).values()]
    assert ledger.best.trial_id == "0002"
    assert ledger.study.best_trial.number == 2


def test_early_stopping_weighs_broken_guards_too(tmp_path: Path) -> None:
    stopping = EarlyStopping(grace_epochs=1, reduction_factor=3)
    ledger = open_ledger(tmp_path, make_config(trials=6, early_stopping=stopping))
    stops = []
    for value, grey_skill in ((2.0, -0.1), (2.1, 0.1), (2.3, 0.1), (1.9, -0.3)):
        opened = ledger.ask()
        assert opened is not None
        report = make_report(1, value=value, grey_skill=grey_skill)
        stops.append(ledger.report(opened.trial_id, report))
    assert stops == [False, False, True, True]


def test_a_time_budget_ends_open_trials_as_pruned(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    first, second = ledger.ask(), ledger.ask()
    assert first is not None
    assert second is not None
    ledger.report(first.trial_id, make_report(1))
    ledger.stop_all("stopped by the time budget of 10 s")
    assert ledger.ask() is None
    # One had not come to the end of an epoch.
    assert [ended.state for ended in ledger.finish_all()] == ["pruned", "pruned"]
    assert [ended.value for ended in ledger.ended.values()] == [5.0, None]
    assert all(trial.state.is_finished() for trial in ledger.study.trials)


def test_the_time_for_the_search_leaves_the_finalists_theirs(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=9, finalists=1, repeats=2))
    best, late = ledger.ask(), ledger.ask()
    assert best is not None
    assert late is not None
    for epoch in range(1, EPOCHS + 1):
        ledger.report(best.trial_id, make_report(epoch))
    ledger.finish(best.trial_id)
    assert ledger.end_search("the time budget of 10 s is spent") is False
    assert ledger.ask() is None
    assert ledger.report(late.trial_id, make_report(1))
    ended = ledger.finish(late.trial_id)
    assert (ended.state, ended.reason) == (
        "pruned",
        "stopped at epoch 1: the time budget of 10 s is spent",
    )
    for _ in range(2):
        repeat = ledger.ask()
        assert repeat is not None
        assert repeat.repeat_of == best.trial_id
        assert not ledger.report(repeat.trial_id, make_report(1))
        assert ledger.report(repeat.trial_id, make_report(EPOCHS))
        assert ledger.finish(repeat.trial_id).state == "complete"
    assert ledger.ask() is None
    assert not ledger.has_unfinished


def test_points_are_asked_first_and_one_at_a_time(tmp_path: Path) -> None:
    points = ({"generator_complexity": 16}, {"generator_complexity": 24})
    config = make_config(points=(*points, points[0]))
    ledger = open_ledger(tmp_path, config)
    first = ledger.ask()
    # Nothing waits in the study: a search that ends here leaves no trial behind.
    assert [trial.state for trial in ledger.study.trials] == [TrialState.RUNNING]
    # Killed between the two steps of asking for the second one.
    enqueue_point(ledger.study)
    ledger = open_ledger(tmp_path, config)
    asked = [ledger.ask() for _ in range(3)]
    assert first is not None
    assert asked[0] is not None
    assert asked[0].trial_id == first.trial_id
    assert [each.settings.generator_complexity for each in asked[:2] if each] == [16, 24]
    assert asked[2] is not None
    assert "fixed_params" not in ledger.study.trials[2].system_attrs


def test_points_that_an_earlier_version_enqueued_are_asked_once(tmp_path: Path) -> None:
    config = make_config(points=({"generator_complexity": 16}, {"generator_complexity": 24}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.study.creation.start_points", lambda _: [])
        study = open_ledger(tmp_path, config).study
    for point in config.points:
        study.enqueue_trial(point)
    ledger = open_ledger(tmp_path, config)
    asked = [ledger.ask() for _ in range(3)]
    assert [each.settings.generator_complexity for each in asked[:2] if each] == [16, 24]
    assert len(ledger.study.trials) == 3


def test_a_repeated_report_is_recorded_once(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    opened = ledger.ask()
    assert opened is not None
    for epoch in (1, 2, 2, 1, 3):
        ledger.report(opened.trial_id, make_report(epoch))
    ledger.finish(opened.trial_id)
    rows = read_rows(ledger.run.trial_folder("0000") / "validation.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_a_half_written_row_is_cut_before_more_is_appended(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    opened = ledger.ask()
    assert opened is not None
    ledger.report(opened.trial_id, make_report(1))
    for name in ("trials.jsonl", "trials/0000/curves.jsonl", "trials/0000/validation.jsonl"):
        with (ledger.run.path / name).open("a") as file:
            file.write('{"trial_id": "00')
    again = open_ledger(tmp_path, make_config(trials=2))
    assert run_to_end(again) == ["0000", "0001"]
    assert [row["state"] for row in rows_of(again).values()] == ["complete", "complete"]
    curves = read_rows(again.run.trial_folder("0000") / "curves.jsonl")
    assert [row["step"] for row in curves] == [5, 10, 15, 20, 25, 30]


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make the n-th write to disk the last thing that happens, whole or half done."""
    countdown = {"left": -1, "half": False}

    def guarded(write: Any) -> Any:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            countdown["left"] -= 1
            if countdown["left"] == 0:
                if countdown["half"]:
                    write(*args, **kwargs)
                raise Killed
            return write(*args, **kwargs)

        return wrapper

    for module, name in (
        (ledger_module, "append_rows"),
        (ledger_module, "write_json"),
        (trial_files, "append_rows"),
    ):
        monkeypatch.setattr(module, name, guarded(getattr(module, name)))
    from optuna.storages.journal import JournalFileBackend

    monkeypatch.setattr(JournalFileBackend, "append_logs", guarded(JournalFileBackend.append_logs))

    def arm(left: int, *, half: bool) -> None:
        countdown.update(left=left, half=half)

    yield arm
    countdown["left"] = -1


def test_killed_at_any_write_the_ledger_is_true_again_after_resuming(
    tmp_path: Path, kill_at: Any
) -> None:
    """Kill 40 times, at one of all 50 writes: no trial is lost, doubled or left running."""
    rng = random.Random(0)
    config = make_config(trials=3)
    for case in range(40):
        folder = tmp_path / str(case)
        kill_at(rng.randint(3, 50), half=rng.random() < 0.5)
        with contextlib.suppress(Killed):
            run_to_end(open_ledger(folder, config))
        kill_at(-1, half=False)
        if not (folder / "run" / "config.json").exists():
            continue
        finished_before = {
            row["trial_id"]
            for row in read_rows(folder / "run" / "trials.jsonl")
            if row["state"] != "running"
        }
        again = open_ledger(folder, config)
        assert finished_before.isdisjoint(run_to_end(again))
        rows = rows_of(again)
        assert [row["state"] for row in rows.values()] == ["complete"] * 3
        trials = again.study.trials
        assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
        for trial in trials:
            row = rows[f"{trial.number:04d}"]
            assert trial.value == row["set_swd"] == 5.0 + trial.number
            assert list(trial.intermediate_values) == [1, 2, 3]
            assert trial.params["generator_complexity"] == row["generator_complexity"]
            curves = read_rows(again.run.trial_folder(row["trial_id"]) / "curves.jsonl")
            assert [window["step"] for window in curves] == [5, 10, 15, 20, 25, 30]
        ended = [
            row for row in read_rows(again.run.path / "trials.jsonl") if row["state"] != "running"
        ]
        assert len(ended) == 3


def test_the_discriminator_is_that_of_the_last_epoch(tmp_path: Path) -> None:
    """While the metrics are those of the best; nothing was measured in the first epoch."""
    ledger = open_ledger(tmp_path, make_config(trials=1))
    assert ledger.ask() is not None
    aucs = [None, 0.7, 0.9]
    for epoch, auc in enumerate(aucs, start=1):
        if epoch == EPOCHS:  # killed and gone on with
            ledger = open_ledger(tmp_path, ledger.config)
            opened = ledger.ask()
            assert opened is not None
            assert opened.report is not None
            assert opened.report.discriminator_auc == 0.7
        ledger.report("0000", replace(make_report(epoch, best=1), discriminator_auc=auc))
    ledger.finish("0000")
    rows = read_rows(ledger.run.trial_folder("0000") / "validation.jsonl")
    assert [row["discriminator_auc"] for row in rows] == aucs
    row = rows_of(ledger)["0000"]
    assert (row["best_epoch"], row["discriminator_auc"]) == (1, 0.9)
    (trial,) = ledger.study.trials
    assert trial.user_attrs["discriminator_auc"] == 0.9
    # Also in a row that was lost and is made again.
    assert row_from_study(ledger.run, ledger.config, trial, None)["discriminator_auc"] == 0.9
