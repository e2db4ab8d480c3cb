"""The balance study reads recorded rows and finds what was planted in them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.recordings import balance_study, plans
from benchmarks.recordings.balance_study import quality_of, report, study_trials
from benchmarks.recordings.rows import append_rows, read_rows
from models.networks.complexity import network_sizes
from tests.analysis.planted import curve_of

#: windows of an epoch
WINDOWS = 6
SETS = ["choose_a", "choose_b", "choose", "test"]


def _rows(training: plans.Training, *, slope: float, rng: np.random.Generator) -> list[dict]:
    """Rows of a training whose drift goes with the ratio, and whose quality with its drift."""
    settings = training.settings
    ratio = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    ).parameter_ratio
    drift = slope * math.log2(ratio / 0.8) + rng.normal(0, 6)
    curve = curve_of(drift, WINDOWS * training.epochs, "white", rng, deviation=0.01)
    distance = 4 + abs(drift) / 20 + 0.1 * rng.normal()
    rows = []
    for epoch in range(1, training.epochs + 1):
        part = curve[WINDOWS * (epoch - 1) : WINDOWS * epoch]
        columns = {name: [0.5] * WINDOWS for name in ("reconstruction", "discriminator")}
        columns |= {"probability_real": [0.7] * WINDOWS, "probability_fake": [0.4] * WINDOWS}
        columns["step"] = [118 * (epoch - 1) + 18 * (i + 1) for i in range(WINDOWS)]
        rows.append(
            {
                "plan": "balance",
                "number": training.number,
                "kind": "branch",
                "key": f"{training.number}-{settings.seed}",
                "settings": settings.to_dict(),
                "start": 0,
                "end": training.epochs,
                "epoch": epoch,
                "curve": {**columns, "adversarial": part},
                "sets": SETS,
                "metrics": {"grey_skill": [0.2] * 4, "ab_hf_ratio": [1.0] * 4},
                "candidates": {"set_swd": [9.0] * 4, "set_swd_detail": [0.0, 0, 0, distance]},
                "discrimination": {"auc": [0.5, 0.5, 0.6 + 0.01 * epoch + drift / 1000, 0.5]},
                "last": epoch == training.epochs,
            }
        )
    return rows


def recorded(tmp_path, *, slope: float, seeds: int):
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.jsonl"
    for training in plans.balance():
        first = training.settings.generator_lr == plans.BALANCE_RATES[0][0]
        if first and training.settings.seed < seeds:
            append_rows(path, _rows(training, slope=slope, rng=rng))
    return path


def test_recorded_rows_become_trials(tmp_path):
    path = recorded(tmp_path, slope=20, seeds=2)
    trials = study_trials(read_rows([path]))
    assert len(trials) == 30
    assert (trials["state"] == "complete").all()
    assert trials["configuration_id"].nunique() == 15
    first = trials.iloc[0]
    rows = read_rows([path])
    assert first["penalized_objective"] == quality_of(rows[9])
    assert first["penalized_objective"] == pytest.approx(rows[9]["candidates"]["set_swd_detail"][3])
    # On the choose photos, after two epochs and after all of them.
    assert first["early_auc"] == rows[1]["discrimination"]["auc"][2]
    assert first["discriminator_auc"] == rows[9]["discrimination"]["auc"][2]
    assert first["early_probability_gap"] == pytest.approx(0.3)
    sizes = network_sizes(12, 2, 64)
    assert first["parameter_ratio"] == sizes.parameter_ratio


def test_a_planted_slope_is_answered(tmp_path):
    trials = study_trials(read_rows([recorded(tmp_path, slope=20, seeds=3)]))
    said = report(trials, target_ratio=0.8)
    assert "At the first rates, which decide" in said
    assert "45 in 15 configurations count" in said
    (slope,) = [line for line in said.splitlines() if "depend on the parameter ratio" in line]
    assert "| yes |" in slope
    assert "moves the drift by +" in slope
    assert "Between seeds of one configuration the drift differs by 6 points" in said
    assert "| predictor of the quality on unseen photos |" in said
    assert "At the second rates" not in said


def test_a_training_that_failed_or_was_cut_does_not_count(tmp_path):
    path = recorded(tmp_path, slope=20, seeds=1)
    training = next(plans.balance())
    settings = replace(training.settings, seed=99).to_dict()
    head = {"plan": "balance", "number": 0, "kind": "branch", "settings": settings}
    failed = {"key": "x", "start": 0, "end": 10, "failed": "a loss was nan", "last": True}
    append_rows(path, [head | failed])
    other = {"plan": "table-64", "number": 0, "kind": "branch", "settings": settings, "key": "y"}
    append_rows(path, [other | {"epoch": 1, "last": True}])
    trials = study_trials(read_rows([path]))
    assert trials["state"].value_counts().to_dict() == {"complete": 15, "failed": 1}
    assert "16 trainings, 1 of them failed or not whole; 15 in 15" in report(
        trials, target_ratio=0.8
    )


def test_nothing_recorded_is_said_in_a_line(tmp_path, monkeypatch, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text("")
    monkeypatch.setattr("sys.argv", ["balance_study", str(path)])
    with pytest.raises(SystemExit) as ended:
        balance_study.main()
    assert ended.value.code == 2
    assert "no row of the plans balance and balance-pilot" in capsys.readouterr().err
