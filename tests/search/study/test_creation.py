"""Sampling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from search.config import EarlyStopping, SearchConfig
from search.run.directory import RunFolder
from search.study.creation import open_study
from tests.search.ledgers import EPOCHS, make_report, open_ledger


def _history(
    folder: Path, seed: int, *, reopen_after: int | None = None
) -> list[tuple[dict[str, Any], int, list[tuple[int, bool]]]]:
    """Each trial's parameters, training seed and epochs, of a search at concurrency 1."""
    config = SearchConfig(
        name="a",
        trials=24,
        max_epochs=EPOCHS,
        seed=seed,
        early_stopping=EarlyStopping(grace_epochs=1),
    )
    ledger = open_ledger(folder, config)
    history = []
    for number in range(config.trials):
        if number == reopen_after:
            ledger = open_ledger(folder, config)
        opened = ledger.ask()
        assert opened is not None
        params = opened.trial.params
        epochs = []
        for epoch in range(1, EPOCHS + 1):
            value = abs(params["generator_complexity"] - 30) + params["adversarial_factor"] / epoch
            # Narrow discriminators break a guard.
            skill = 0.1 if params["discriminator_complexity"] > 5 else -0.1
            report = make_report(epoch, value=float(value), grey_skill=skill)
            epochs.append((epoch, ledger.report(opened.trial_id, report)))
            if epochs[-1][1]:
                break
        ledger.finish(opened.trial_id)
        history.append((params, opened.settings.seed, epochs))
    return history


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_seeded_search_repeats_exactly_also_when_resumed(tmp_path: Path, seed: int) -> None:
    first = _history(tmp_path / "first", seed)
    assert _history(tmp_path / "second", seed) == first
    assert _history(tmp_path / "resumed", seed, reopen_after=12) == first
    assert {len(epochs) for _, _, epochs in first} >= {1, EPOCHS}


def test_other_seeds_draw_other_trials(tmp_path: Path) -> None:
    assert _history(tmp_path / "a", 0) != _history(tmp_path / "b", 1)


def test_the_study_of_a_run_is_a_journal_that_optuna_reads(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "a")
    run.path.mkdir()
    config = SearchConfig(name="a")
    open_study(run.study_path, config).ask()
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(run.study_path))
    )
    assert [study.study_name for study in optuna.get_all_study_summaries(storage)] == ["a"]
