"""Start points and sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from search.config import SearchConfig
from search.run_folder import RunFolder
from search.sampler import sampler_for
from search.study import (
    distributions,
    enqueue_points,
    known_points,
    open_study,
)


def test_known_points_fit_the_space_and_leave_room_to_explore() -> None:
    config = SearchConfig(name="a", trials=40)
    points = known_points(config)
    assert {
        "generator_complexity": 30,
        "discriminator_complexity": 4,
        "adversarial_factor": 0.1,
        "generator_lr": 7e-5,
        "discriminator_lr": 7e-5,
    } in points
    # 72 is wider than the default space.
    assert all(point["generator_complexity"] <= 48 for point in points)
    assert len(known_points(SearchConfig(name="a", trials=8))) == 2
    wide = SearchConfig(name="a", trials=40, space={"generator_complexity": {"low": 8, "high": 80}})
    final = known_points(wide)[0]
    assert final["generator_complexity"] == 72
    # The final model's own rate lies below the default space, that of the studies within.
    assert final["generator_lr"] == final["discriminator_lr"] == 7e-5


@pytest.mark.parametrize(
    ("low", "expected"), [(1e-6, 7e-6), (7e-6, 7e-6), (1e-5, 7e-5), (1e-4, None)]
)
def test_the_final_model_keeps_its_rate_where_the_space_does(
    low: float, expected: float | None
) -> None:
    rate = {"low": low, "high": 1e-3, "log": True}
    space = {"generator_complexity": [46, 72], "generator_lr": rate, "discriminator_lr": 1e-3}
    final, study, _ = known_points(SearchConfig(name="a", trials=40, space=space))
    assert final.get("generator_lr") == expected
    assert study.get("generator_lr") == (None if expected is None else 7e-5)
    assert "discriminator_lr" not in final


def test_known_points_name_only_what_is_sampled() -> None:
    config = SearchConfig(name="a", trials=40, space={"adversarial_factor": 0.2})
    assert all(
        set(point).isdisjoint({"adversarial_factor"}) and "discriminator_complexity" in point
        for point in known_points(config)
    )
    fixed = SearchConfig(
        name="a",
        trials=40,
        space={"adversarial_factor": 0.2, "generator_complexity": 8, "discriminator_complexity": 2},
    )
    assert known_points(fixed) == []


def _history(folder: Path, seed: int, *, reopen_after: int | None = None) -> list[dict[str, Any]]:
    """Ask and tell 16 trials of a cheap function, as the ledger does."""
    config = SearchConfig(name="a", trials=16, seed=seed)
    run = RunFolder(folder)
    run.path.mkdir(parents=True)
    study = open_study(run, config)
    enqueue_points(study, config)
    for number in range(16):
        if number == reopen_after:
            study = open_study(run, config)
        study.sampler = sampler_for(config, number)
        trial = study.ask(fixed_distributions=distributions(config.make_space()))
        value = abs(trial.params["generator_complexity"] - 30) + trial.params["adversarial_factor"]
        study.tell(trial, float(value))
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_seeded_search_repeats_exactly_also_when_resumed(tmp_path: Path, seed: int) -> None:
    first = _history(tmp_path / "first", seed)
    assert _history(tmp_path / "second", seed) == first
    assert _history(tmp_path / "resumed", seed, reopen_after=12) == first


def test_other_seeds_draw_other_trials(tmp_path: Path) -> None:
    assert _history(tmp_path / "a", 0) != _history(tmp_path / "b", 1)


def test_the_study_of_a_run_is_a_journal_that_optuna_reads(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "a")
    run.path.mkdir()
    config = SearchConfig(name="a")
    open_study(run, config).ask()
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(run.study_path))
    )
    assert [study.study_name for study in optuna.get_all_study_summaries(storage)] == ["a"]
