"""What the first epochs of a discriminator show."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from analysis.statistics.nested.early_signals import early_auc, early_gap, early_signals
from analysis.stored_run.run import open_run
from tests.analysis.fabricate import Plan, fabricate_run


def windows(n_epochs: int, *, pretrain: int = 0) -> list[dict[str, float | None]]:
    """Four windows an epoch; the gap is 0.1 in the first epoch with a discriminator, and so on."""
    rows: list[dict[str, float | None]] = []
    for i in range(4 * n_epochs):
        epoch = (i + 1) / 4
        judged = math.ceil(epoch) - pretrain
        real = 0.5 + 0.1 * judged if judged > 0 else None
        fake = 0.5 if judged > 0 else None
        rows.append({"epoch": epoch, "probability_real": real, "probability_fake": fake})
    return rows


@pytest.mark.parametrize("pretrain", [0, 3])
def test_the_gap_is_that_of_the_second_epoch_with_a_discriminator(pretrain: int) -> None:
    assert early_gap(windows(pretrain + 4, pretrain=pretrain)) == pytest.approx(0.2)
    assert early_gap(windows(pretrain + 2, pretrain=pretrain)) == pytest.approx(0.2)


def test_too_few_epochs_have_no_early_signal() -> None:
    assert math.isnan(early_gap(windows(1)))
    assert math.isnan(early_gap(windows(4, pretrain=4)))
    assert math.isnan(early_gap([]))
    assert math.isnan(early_auc([{"discriminator_auc": 0.7}]))


def test_the_auc_is_that_after_the_second_epoch_that_has_one() -> None:
    rows = [{"discriminator_auc": value} for value in (None, None, 0.9, 0.7, 0.6)]
    assert early_auc(rows) == 0.7
    assert math.isnan(early_auc([{"ab_swd": 1.0}] * 4))


def test_signals_come_from_a_stored_run(tmp_path: Path) -> None:
    plan = Plan(n_trials=3, n_windows=40, running=0, failed=0, pruned=0, pictures=False)
    run = open_run(fabricate_run(tmp_path / "run", plan))
    found = early_signals(run, run.trials["trial_id"].tolist())
    for row in found.itertuples():
        rows = [each for each in run.curves(row.trial_id) if 1 < each["epoch"] <= 2]
        gaps = [each["probability_real"] - each["probability_fake"] for each in rows]
        aucs = [each["discriminator_auc"] for each in run.validation(row.trial_id)]
        assert row.early_auc == [auc for auc in aucs if auc is not None][1]
        assert row.early_probability_gap == pytest.approx(sum(gaps) / len(gaps))
    path = tmp_path / "run" / "trials" / "0001" / "validation.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row | {"discriminator_auc": 0.9 - 0.05 * row["epoch"]} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (auc,) = early_signals(run, ["0001"])["early_auc"]
    assert auc == pytest.approx(0.8)
    assert early_signals(run, []).columns.tolist() == list(found.columns)
