"""Requests in a run's folder, and what the ledger of its search makes of them; without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_pipeline.errors import InputError
from search.run.directory import read_json, write_json
from search.run.ledger import Ledger
from search.steering.requests import AskPoint, RequestFolder, StopSearch, StopTrial
from search.steering.verbs import enqueue, stop_search, stop_trial
from search.steering.wishes import AS_ASKED
from search.study.asking import trial_id_of
from tests.search.ledgers import make_config, make_report, open_ledger, rows_of, run_to_end

SPACE = {
    "generator_complexity": {"low": 8, "high": 48},
    "generator_lr": {"low": 1e-4, "high": 1e-3, "log": True},
    "batch_size": [8, 16],
}


def obey(ledger: Ledger) -> bool:
    """As Tune's loop does it, some time after the last time."""
    ledger.wishes._looked = -1e9
    return ledger.obey()


def widths(ledger: Ledger) -> list[int]:
    return [trial.params["generator_complexity"] for trial in ledger.study.trials]


def test_a_configuration_is_asked_next_and_known_points_after_it(tmp_path: Path) -> None:
    points = ({"generator_complexity": 9}, {"generator_complexity": 10})
    ledger = open_ledger(tmp_path, make_config(space=SPACE, points=points))
    first = ledger.ask()
    assert first is not None
    ledger.run.lock()
    asked = enqueue(ledger.run.path, {"generator_complexity": "33", "batch_size": "8"})
    assert asked == {"generator_complexity": 33, "batch_size": 8}
    enqueue(ledger.run.path, {"generator_complexity": 34.0})
    assert not obey(ledger)
    for _ in range(3):
        assert ledger.ask() is not None
    assert ledger.ask() is None  # they count as trials of the search
    assert widths(ledger) == [9, 33, 34, 10]
    assert ledger.settings_of(ledger.open["0001"].trial).batch_size == 8
    assert list((ledger.run.path / "requests").iterdir()) == []
    ledger.run.close()


def test_it_extends_a_search_that_has_no_trial_left(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE, trials=2))
    run_to_end(ledger)
    enqueue(ledger.run.path, {"generator_complexity": 33})
    again = open_ledger(tmp_path, make_config(space=SPACE, trials=2))
    assert again.remaining == 1
    assert again.total == 3
    assert run_to_end(again) == ["0002"]
    assert widths(again)[2] == 33
    assert read_json(again.run.path / "config.json")["trials"] == 3
    assert open_ledger(tmp_path, make_config(space=SPACE, trials=3)).remaining == 0


def test_a_killed_driver_asks_it_exactly_once(tmp_path: Path) -> None:
    config = make_config(space=SPACE, trials=3)
    ledger = open_ledger(tmp_path, config)
    run = ledger.run.path
    enqueue(run, {"generator_complexity": 33})
    (request,) = (run / "requests").iterdir()
    content = request.read_bytes()
    # Killed when the study had it, but had not asked it yet.
    obey(ledger)
    assert ledger.wishes.enqueue_next()
    ledger = open_ledger(tmp_path, config)
    assert ledger.ask() is not None
    # Killed before it removed the request.
    request.write_bytes(content)
    ledger = open_ledger(tmp_path, config)
    assert not request.exists()
    run_to_end(ledger)
    assert widths(ledger).count(33) == 1
    assert len(rows_of(ledger)) == 3


def test_a_trial_ends_as_pruned_after_its_epoch(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE))
    for _ in range(2):
        assert ledger.ask() is not None
    ledger.run.lock()
    assert stop_trial(ledger.run.path, "1") == "0001"
    assert not obey(ledger)
    assert not ledger.report("0000", make_report(1))
    assert ledger.report("0001", make_report(1))
    ended = ledger.finish("0001")
    assert (ended.state, ended.reason) == ("pruned", f"stopped at epoch 1: {AS_ASKED}")
    assert ledger.study.trials[1].state.name == "PRUNED"
    assert list((ledger.run.path / "requests").iterdir()) == []
    ledger.run.close()


def test_a_trial_that_has_just_done_its_last_epoch_is_complete(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE))
    assert ledger.ask() is not None
    RequestFolder(ledger.run.path).write(StopTrial("0000"))
    obey(ledger)
    assert ledger.report("0000", make_report(3))
    assert ledger.finish("0000").state == "complete"


def test_a_search_ends_and_can_be_resumed(tmp_path: Path) -> None:
    config = make_config(space=SPACE)
    ledger = open_ledger(tmp_path, config)
    assert ledger.ask() is not None
    ledger.run.lock()
    stop_search(ledger.run.path)
    enqueue(ledger.run.path, {"generator_complexity": 33})
    assert obey(ledger)
    assert ledger.remaining == 0
    (ended,) = ledger.finish_all()
    assert (ended.state, ended.reason) == ("pruned", AS_ASKED)
    ledger.run.close()
    RequestFolder(ledger.run.path).write(StopSearch())  # too late: it does not end the next session
    again = open_ledger(tmp_path, config)
    assert not obey(again)
    assert run_to_end(again) == ["0001", "0002", "0003"]
    assert widths(again)[1] == 33


def test_the_first_stop_leaves_the_finalists_and_the_second_ends_them(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE, finalists=1, repeats=2))
    first = ledger.ask()
    assert first is not None
    for epoch in (1, 2, 3):
        ledger.report("0000", make_report(epoch))
    ledger.finish("0000")
    RequestFolder(ledger.run.path).write(StopSearch())
    assert not obey(ledger)
    enqueue(ledger.run.path, {"generator_complexity": 33})
    repeat = ledger.ask()
    assert repeat is not None
    assert repeat.repeat_of == "0000"
    RequestFolder(ledger.run.path).write(StopSearch())
    assert obey(ledger)
    assert [ended.state for ended in ledger.finish_all()] == ["pruned"]
    assert all(trial.state.is_finished() for trial in ledger.study.trials)
    assert len(list((ledger.run.path / "requests").iterdir())) == 1


def test_the_folder_is_looked_into_twice_a_second_at_most(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE))
    now = 10.0
    ledger.wishes._clock = lambda: now
    ledger.wishes._looked = 9.6
    RequestFolder(ledger.run.path).write(StopSearch())
    assert not ledger.obey()
    now = 10.2
    assert ledger.obey()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "none; give some"),
        ({"dropout": "0.3"}, "batch_size, but got dropout, which this search does not vary"),
        ({"generator_complexity": "32.5"}, "a whole number from 8 to 48.* but got 32.5"),
        ({"generator_complexity": "wide"}, "a whole number from 8 to 48.* but got wide"),
        ({"generator_lr": "nan"}, "a number from 0.0001 to 0.001.* but got nan"),
        ({"generator_lr": "1"}, "a number from 0.0001 to 0.001.* but got 1"),
        ({"batch_size": "12"}, "one of 8, 16.* but got 12"),
    ],
)
def test_what_the_space_does_not_hold_is_refused(
    tmp_path: Path, values: dict[str, str], told: str
) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE))
    with pytest.raises(InputError, match=told):
        enqueue(ledger.run.path, values)
    assert not (ledger.run.path / "requests").exists()


def test_only_what_runs_can_be_stopped(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, make_config(space=SPACE))
    run = ledger.run.path
    with pytest.raises(InputError, match=r"must run to be stopped, but .* is interrupted"):
        stop_search(run)
    assert ledger.ask() is not None
    ledger.run.lock()
    with pytest.raises(InputError, match=r"\(0000\), but trial 0007 is not there"):
        stop_trial(run, "7")
    with pytest.raises(InputError, match=r"trial \.\./x is not there"):
        stop_trial(run, "../x")
    write_json(run / "train.json", {})
    with pytest.raises(InputError, match="is that of a training"):
        stop_search(run)
    assert not (run / "requests").exists()
    ledger.run.close()


def test_what_is_no_request_is_passed_over(tmp_path: Path) -> None:
    folder = RequestFolder(tmp_path)
    folder.write(AskPoint({"generator_complexity": 9}, "point-1"))
    (tmp_path / "requests/a.json").write_text('{"action": "stop_trial", "trial_id": "../../x"}')
    (tmp_path / "requests/b.json").write_text("[1")
    (tmp_path / "requests/c.json").write_text('{"action": "dance"}')
    assert folder.read() == [AskPoint({"generator_complexity": 9}, "point-1")]
    assert trial_id_of(7) == "0007"
