"""Trials that a study is asked for, also by a process that goes on after another."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.config import SearchConfig
from search.run.directory import RunFolder
from search.study.asking import ask_trial, resume_trial
from search.study.creation import distributions, open_study


@pytest.mark.parametrize("storage", ["journal", "database"])
def test_a_running_trial_goes_on_in_another_process(tmp_path: Path, storage: str) -> None:
    """Needs names that are private in Optuna: an upgrade that changes them fails here."""
    address = f"sqlite:///{tmp_path}/study.db" if storage == "database" else None
    config = SearchConfig(name="a", storage=address)
    run = RunFolder(tmp_path / "a")
    run.path.mkdir()
    space = distributions(config.space)
    # In a database, identifiers of trials count through all studies.
    open_study(run.study_path, SearchConfig(name="another", storage=address)).ask()
    first = ask_trial(open_study(run.study_path, config), config, space)
    first.report(4.0, 1)
    study = open_study(run.study_path, config)
    (stored,) = study.get_trials(states=(TrialState.RUNNING,))
    again = resume_trial(study, config, space, stored)
    assert (again.number, again.params) == (first.number, first.params)
    assert set(again.params) == set(space)
    again.report(3.0, 2)
    study.tell(again, 3.0)
    (told,) = open_study(run.study_path, config).trials
    assert told.state is TrialState.COMPLETE
    assert told.intermediate_values == {1: 4.0, 2: 3.0}


def test_what_a_kill_kept_from_being_drawn_is_drawn_as_it_would_have_been(tmp_path: Path) -> None:
    config = SearchConfig(name="a")
    space = distributions(config.space)
    params = []
    for drawn in (len(space), 2):
        run = RunFolder(tmp_path / str(drawn))
        run.path.mkdir()
        ask_trial(open_study(run.study_path, config), config, dict(list(space.items())[:drawn]))
        study = open_study(run.study_path, config)
        (stored,) = study.trials
        assert len(stored.params) == drawn
        params.append(resume_trial(study, config, space, stored).params)
    assert set(params[0]) == set(params[1]) == set(space)
    first_two = list(space)[:2]
    assert [params[0][name] for name in first_two] == [params[1][name] for name in first_two]
