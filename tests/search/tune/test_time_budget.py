"""The time budget, through Ray Tune, which tells its searcher nothing of trials that it stops."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.stored_run.run import open_run
from benchmarks.sleeping_trial import SleepingTrainable
from search.config import EarlyStopping, SearchConfig
from search.progress.display import Progress
from search.run.photos import SearchPhotos
from search.study.asking import trial_id_of
from search.tune import driver
from tests.search.ledgers import open_ledger, rows_of

pytestmark = pytest.mark.usefixtures("open_ray")
REASON = "the time budget of 5 s is spent"


class FirstIsFast(SleepingTrainable):
    """All trials but the first take long for an epoch."""

    def setup(self, config: dict[str, Any]) -> None:
        super().setup(config)
        self.seconds = 0.0 if config["trial_id"] == "0000" else 2.0


def _search(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Any:
    """Search until the time is over, which is when a trial has ended and others are open."""
    config = SearchConfig(
        name="run",
        max_epochs=1,
        image_size=32,
        early_stopping=EarlyStopping(enabled=False),
        **changes,
    )
    ledger = open_ledger(folder, config)

    def clock() -> float:
        return 6.0 if ledger.ended and ledger.open else 0.0

    monkeypatch.setattr(driver, "time", SimpleNamespace(monotonic=clock))
    driver.run_search(
        ledger.run,
        config,
        ledger,
        SearchPhotos(caches={32: folder}, summary={"train": 100}),
        address=None,
        progress=Progress(),
        trainable=FirstIsFast,
    )
    return ledger


@pytest.mark.parametrize("slots", [1, 2])
def test_open_trials_end_as_pruned_and_a_resumed_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], slots: int
) -> None:
    asked = {"trials": 12, "concurrency": slots}
    ledger = _search(tmp_path, monkeypatch, **asked, time_budget_sec=5.0)
    rows = rows_of(ledger)
    complete = [trial_id for trial_id, row in rows.items() if row["state"] == "complete"]
    pruned = {trial_id: row for trial_id, row in rows.items() if trial_id not in complete}
    assert complete
    assert pruned
    assert {(row["state"], row["reason"]) for row in pruned.values()} == {("pruned", REASON)}
    states = {trial_id_of(trial.number): trial.state.name for trial in ledger.study.trials}
    assert states == {trial_id: row["state"].upper() for trial_id, row in rows.items()}
    board = build_leaderboard(open_run(ledger.run.path))
    assert dict(zip(board["trial_id"], board["state"], strict=True)) == {
        trial_id: row["state"] for trial_id, row in rows.items()
    }
    assert capfd.readouterr().err.count(f"pruned  {REASON}") == len(pruned)
    # Without a budget the rest of the asked trials train; none of the ended ones does again.
    again = _search(tmp_path, monkeypatch, trials=len(rows) + 1, concurrency=slots)
    told = {trial_id_of(trial.number): trial.state.name for trial in again.study.trials}
    assert told == {**states, trial_id_of(len(rows)): "COMPLETE"}


def test_finalists_train_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {"trials": 12, "finalists": 1, "repeats": 2, "time_budget_sec": 5.0}
    ledger = _search(tmp_path, monkeypatch, **asked, concurrency=2)
    rows = rows_of(ledger).values()
    assert all(row["state"] != "running" for row in rows)
    repeats = [row for row in rows if row["repeat_of"]]
    assert [row["state"] for row in repeats] == ["complete"] * 2
    assert len(rows) < 12
    assert all(trial.state.is_finished() for trial in ledger.study.trials)
    assert len(ledger.study.trials) == len(rows)
