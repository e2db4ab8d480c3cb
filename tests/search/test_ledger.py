"""The books of a search, without Ray: states, kills at every moment, and what is written."""

from __future__ import annotations

import contextlib
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from analysis.leaderboard import build_leaderboard
from analysis.run import open_run
from models.objective import METRICS
from search import ledger as ledger_module
from search import standings, trial_files, trial_rows
from search.config import EarlyStopping
from search.driver import AllTrialsFailedError, run_search
from search.ledger import Ledger
from search.photos import SearchPhotos
from search.progress import Progress
from search.run_folder import read_rows
from tests.search.ledgers import EPOCHS, WINDOWS, make_config, make_report, open_ledger


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


def _rows(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {row["trial_id"]: row for row in read_rows(ledger.run.path / "trials.jsonl")}


def _run_to_end(ledger: Ledger, value: float = 5.0) -> list[str]:
    """Run what is left, one trial after another; returns the ids in order."""
    ids = []
    while opened := ledger.ask():
        for epoch in range(opened.reported_epoch + 1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch, value=value + opened.trial.number))
        ledger.finish(opened.trial_id)
        ids.append(opened.trial_id)
    return ids


def test_a_complete_trial_is_told_its_best_value(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    assert _run_to_end(ledger) == ["0000"]
    (trial,) = ledger.study.trials
    assert trial.state is TrialState.COMPLETE
    assert trial.value == 5.0
    assert trial.intermediate_values == {1: 5.0, 2: 5.0, 3: 5.0}
    assert trial.constraints == {"grey_skill > 0": -0.1, "ab_hf_ratio < 2": -1.0}
    assert trial.user_attrs["parameter_ratio"] > 0
    row = _rows(ledger)["0000"]
    assert row["state"] == "complete"
    assert row["epochs"] == EPOCHS
    assert row["ab_swd"] == 5.0
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
    assert "epoch 1" in _rows(ledger)["0001"]["reason"]


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({"failed": "non-finite loss: total was nan at step 7"}, "total was nan at step 7"),
        (make_report(1, value=math.nan), "ab_swd was nan"),
    ],
)
def test_failures_are_told_as_failed_with_the_reason(
    tmp_path: Path, report: dict[str, Any], words: str
) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=1))
    opened = ledger.ask()
    assert opened is not None
    assert ledger.report(opened.trial_id, report)
    ended = ledger.finish(opened.trial_id)
    assert ended.state == "failed"
    assert words in (ended.reason or "")
    assert ledger.study.trials[0].state is TrialState.FAIL
    assert words in ledger.study.trials[0].user_attrs["reason"]
    assert words in _rows(ledger)["0000"]["reason"]
    # NaN is no JSON: strict readers must be able to read what was written.
    text = (ledger.run.path / "trials.jsonl").read_text()
    for line in text.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} in the rows"))


def test_a_search_in_which_every_trial_failed_ends_with_the_reason(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    while opened := ledger.ask():
        ledger.report(opened.trial_id, {"failed": "out of memory"})
        ledger.finish(opened.trial_id)
    photos = SearchPhotos(caches={}, summary={})
    with pytest.raises(AllTrialsFailedError, match=r"all 2 trials failed.*out of memory"):
        run_search(ledger.run, ledger.config, ledger, photos, address=None, progress=Progress())


def test_feasible_beats_better_but_infeasible(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    for value, grey_skill in ((9.0, 0.1), (1.0, -0.1)):
        opened = ledger.ask()
        assert opened is not None
        for epoch in range(1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch, value=value, grey_skill=grey_skill))
        ledger.finish(opened.trial_id)
    assert ledger.best is not None
    assert ledger.best.trial_id == "0000"
    assert ledger.study.best_trial.number == 0


def test_a_time_budget_ends_open_trials_as_pruned(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    first, second = ledger.ask(), ledger.ask()
    assert first is not None
    assert second is not None
    ledger.report(first.trial_id, make_report(1))
    ledger.stop_all("stopped by the time budget of 10 s")
    assert ledger.finish(first.trial_id).state == "pruned"
    assert ledger.finish(second.trial_id).state == "failed"
    assert all(trial.state.is_finished() for trial in ledger.study.trials)


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
    assert _run_to_end(again) == ["0000", "0001"]
    assert [row["state"] for row in _rows(again).values()] == ["complete", "complete"]
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


def test_killed_at_any_write_the_books_are_true_again_after_resuming(
    tmp_path: Path, kill_at: Any
) -> None:
    """Kill 40 times, at one of all 50 writes: no trial is lost, doubled or left running."""
    rng = random.Random(0)
    config = make_config(trials=3)
    for case in range(40):
        folder = tmp_path / str(case)
        kill_at(rng.randint(3, 50), half=rng.random() < 0.5)
        with contextlib.suppress(Killed):
            _run_to_end(open_ledger(folder, config))
        kill_at(-1, half=False)
        if not (folder / "run" / "config.json").exists():
            continue
        finished_before = {
            row["trial_id"]
            for row in read_rows(folder / "run" / "trials.jsonl")
            if row["state"] != "running"
        }
        again = open_ledger(folder, config)
        assert finished_before.isdisjoint(_run_to_end(again))
        rows = _rows(again)
        assert [row["state"] for row in rows.values()] == ["complete"] * 3
        trials = again.study.trials
        assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
        for trial in trials:
            row = rows[f"{trial.number:04d}"]
            assert trial.value == row["ab_swd"] == 5.0 + trial.number
            assert list(trial.intermediate_values) == [1, 2, 3]
            assert trial.params["generator_complexity"] == row["generator_complexity"]
            curves = read_rows(again.run.trial_folder(row["trial_id"]) / "curves.jsonl")
            assert [window["step"] for window in curves] == [5, 10, 15, 20, 25, 30]
        ended = [
            row for row in read_rows(again.run.path / "trials.jsonl") if row["state"] != "running"
        ]
        assert len(ended) == 3


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
            | {"adversarial_factor": [0.1, 0.2]},
        ),
    )
    _run_to_end(ledger)
    by_factor: dict[float, set[str]] = {}
    seeds = set()
    for row in _rows(ledger).values():
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
    assert ledger.waits
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
    rows = _rows(ledger)
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
    assert study.metric_names == ["ab_swd", "grey_skill"]
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
    monkeypatch.setattr(standings, "KEPT_OPTIMIZERS", 2)
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
    ledger.report(opened.trial_id, {"failed": "out of memory"})
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
