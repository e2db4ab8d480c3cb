"""Entries of the study that are written as one: what a kill leaves of them, and what it costs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search.run.ledger import Ledger
from search.study.journal import RunJournal, written_together
from tests.search.ledgers import EPOCHS, make_config, make_report, open_ledger


def _study(path: Path) -> optuna.Study:
    return optuna.create_study(storage=RunJournal(path), study_name="a")


def _read(path: Path) -> optuna.trial.FrozenTrial:
    """The only trial, as another process sees it."""
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    (trial,) = optuna.load_study(study_name="a", storage=storage).trials
    return trial


def _train(ledger: Ledger) -> None:
    opened = ledger.ask()
    assert opened is not None
    for epoch in range(1, EPOCHS + 1):
        ledger.report(opened.trial_id, make_report(epoch), device="cpu")
    ledger.finish(opened.trial_id)


def test_entries_are_written_in_their_order_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    study = _study(path)
    trial = study.ask()
    before = path.read_bytes()
    with written_together(trial.storage):
        for value in (1, 2, 3):
            trial.set_user_attr("a", value)
        assert path.read_bytes() == before
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 3
    assert study.trials[0].user_attrs == {"a": 3}
    trial.set_user_attr("b", 1)
    assert _read(path).user_attrs == {"a": 3, "b": 1}


def test_an_error_among_them_leaves_none_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    trial = _study(path).ask()
    before = path.read_bytes()

    def write() -> None:
        with written_together(trial.storage):
            trial.set_user_attr("a", 1)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        write()
    assert path.read_bytes() == before
    trial.set_user_attr("b", 1)
    assert _read(path).user_attrs == {"b": 1}


def test_other_storages_write_each_entry_as_ever() -> None:
    study = optuna.create_study(storage=InMemoryStorage())
    trial = study.ask()
    with written_together(trial.storage):
        trial.set_user_attr("a", 1)
        assert study.trials[0].user_attrs == {"a": 1}


def test_a_trial_is_synced_to_the_disk_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path, make_config(trials=2))
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    _train(ledger)
    # Asked for, its parameters, each epoch, what is known of it, its end.
    assert synced.count(ledger.run.study_path.stat().st_ino) == 4 + EPOCHS


_STATES = (None, (TrialState.WAITING,), (TrialState.RUNNING, TrialState.COMPLETE))


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["ask", "enqueue", "tell", "fail", "report", "elsewhere", "look"]),
            st.integers(0, 5),
        ),
        max_size=25,
    )
)
def test_the_list_of_trials_is_that_of_a_plain_journal(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("a") / "journal"
    study = _study(path)
    for step, i in steps:
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        trial = running[i % len(running)] if running else None
        if step == "ask":
            study.ask().suggest_float("x", 0, 1)
        elif step == "enqueue":
            study.enqueue_trial({"x": 0.5})
        elif step == "elsewhere":
            other = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
            optuna.load_study(study_name="a", storage=other).ask()
            study.set_user_attr("now", i)  # what others wrote is read with the next entry
        elif step == "tell" and trial is not None:
            study.tell(trial.number, float(i))
        elif step == "fail" and trial is not None:
            study.tell(trial.number, state=TrialState.FAIL)
        elif step == "report" and trial is not None:
            study._storage.set_trial_intermediate_value(trial._trial_id, i, 0.5)
        elif step == "look":
            assert study.get_trials(deepcopy=False) == study.get_trials()
    plain = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    for states in _STATES:
        expected = plain.get_all_trials(0, deepcopy=False, states=states)
        assert study._storage.get_all_trials(0, deepcopy=False, states=states) == expected


def test_two_studies_in_one_journal_are_told_apart(tmp_path: Path) -> None:
    study = _study(tmp_path / "journal")
    study.ask()
    assert len(study.get_trials(deepcopy=False)) == 1
    other = optuna.create_study(storage=study._storage, study_name="b")
    other.ask()
    other.ask()
    study.ask()
    assert [trial.number for trial in study.get_trials(deepcopy=False)] == [0, 1]
    assert [trial.number for trial in other.get_trials(deepcopy=False)] == [0, 1]


def test_the_file_is_read_after_an_entry_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = _study(tmp_path / "journal")
    study.ask()
    read = []
    plain = JournalFileBackend.read_logs

    def count(journal: JournalFileBackend, start: int) -> Iterator[dict[str, Any]]:
        read.append(start)
        return plain(journal, start)

    monkeypatch.setattr(JournalFileBackend, "read_logs", count)
    for _ in range(3):
        study.get_trials(deepcopy=False)
    assert not read
    study.ask()
    assert len(read) == 1


def test_killed_in_the_midst_of_them_the_study_is_true_again(tmp_path: Path) -> None:
    config = make_config(trials=2)
    ledger = open_ledger(tmp_path, config)
    _train(ledger)
    journal = ledger.run.study_path
    start = journal.stat().st_size
    _train(ledger)
    whole = journal.read_bytes()
    expected = ledger.study.trials
    shutil.copytree(ledger.run.path, tmp_path / "dead")
    # As if the last trial's entries had reached the disk up to here, half a line included. Its
    # row, which is written before the study is told, says how it ended.
    ends = [i + 1 for i in range(start, len(whole)) if whole[i : i + 1] == b"\n"]
    asked = ends[1 + len(ledger.distributions)]
    for end in [each for each in ends if each > asked]:
        for size in (end - 7, end):
            shutil.rmtree(tmp_path / "run")
            shutil.copytree(tmp_path / "dead", tmp_path / "run")
            journal.write_bytes(whole[:size])
            again = open_ledger(tmp_path, config)
            assert again.remaining == 0
            assert again.ask() is None
            for trial, was in zip(again.study.trials, expected, strict=True):
                assert trial.state is TrialState.COMPLETE
                assert trial.value == was.value
                assert trial.params == was.params
                assert trial.user_attrs == was.user_attrs
                assert trial.constraints == was.constraints
