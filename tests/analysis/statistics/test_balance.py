"""The balance of whole runs, against planted ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.balance import balance_of
from analysis.stored_run.columns import UNJUDGED_TRENDS
from analysis.stored_run.run import open_run
from tests.analysis.fabricate import Plan, fabricate_run
from tests.analysis.planted import SCENARIOS, planted_run


def trials_of(tmp_path: Path, plan: Plan) -> pd.DataFrame:
    return open_run(fabricate_run(tmp_path / "run", plan)).trials


def small(n_trials: int, **changes: object) -> Plan:
    return Plan(n_trials=n_trials, pictures=False, curves=False, **changes)  # type: ignore[arg-type]


def test_the_interval_covers_the_planted_ratio_of_most_runs() -> None:
    """A small version of benchmarks/balance_coverage.py, which states the coverage of 500 runs."""
    covered = 0
    for seed in range(30):
        planted = planted_run(np.random.default_rng((7, seed)))
        crossing = balance_of(planted.trials, n_draws=300).crossing
        if crossing.determined:
            assert crossing.low is not None
            assert crossing.high is not None
            covered += crossing.low <= planted.ratio <= crossing.high
        else:
            covered += 1
    # 90 % of 30 are 27; fewer than 23 come with probability 0.03 at 85 %.
    assert covered >= 23


def test_noise_alone_determines_nothing() -> None:
    """Without an effect of the ratio hardly a run may name a balance."""
    scenario = SCENARIOS["measured noise, no effect"]
    runs = [planted_run(np.random.default_rng((11, seed)), scenario).trials for seed in range(60)]
    determined = [balance_of(trials, n_draws=200).crossing.determined for trials in runs]
    assert sum(determined) <= 1


def test_the_sentence_says_what_early_stopping_hides(tmp_path: Path) -> None:
    trials = trials_of(tmp_path, small(60, pruned=0.4, failed=0, running=0))
    pruned = int((trials["state"] == "pruned").sum())
    assert f"Early stopping ended {pruned} more trials" in balance_of(trials).sentence()
    complete = trials[trials["state"] == "complete"]
    assert "Early stopping" not in balance_of(complete).sentence()


def test_the_sentence_stands_beside_the_reports_ratio(tmp_path: Path) -> None:
    balance = balance_of(trials_of(tmp_path, small(60, balance_ratio=0.3)))
    assert "at 64 px stagnates at a parameter ratio D/G of 0." in balance.sentence()
    assert "The report's 0.8 lies above that interval." in balance.sentence()
    assert balance.comparison.best == "parameter_ratio"


def test_repeated_seeds_count_as_one_configuration(tmp_path: Path) -> None:
    trials = trials_of(tmp_path, small(60, repeats=2, failed=0, pruned=0, running=0))
    once = balance_of(trials)
    assert once.n_trials == 60
    assert once.crossing.n_configurations == 20
    assert once.configurations["n_seeds"].tolist() == [3] * 20
    # Copying every trial ten times adds no information.
    copies = balance_of(pd.concat([trials] * 10, ignore_index=True))
    assert (copies.crossing.low, copies.crossing.high) == pytest.approx(
        (once.crossing.low, once.crossing.high)
    )


@pytest.mark.parametrize("n_trials", [0, 1, 2, 9])
def test_few_trials_determine_nothing(tmp_path: Path, n_trials: int) -> None:
    balance = balance_of(trials_of(tmp_path, small(n_trials, running=0)))
    assert not balance.crossing.determined
    assert "not determined" in balance.sentence()
    assert "neither supports nor contradicts the report's 0.8" in balance.sentence()
    assert balance.comparison.best is None or n_trials == 9


def test_a_run_with_no_finished_trial(tmp_path: Path) -> None:
    balance = balance_of(trials_of(tmp_path, small(20, running=20)))
    assert balance.n_trials == 0
    assert "not determined" in balance.sentence()


def test_two_image_sizes_are_not_mixed(tmp_path: Path) -> None:
    trials = trials_of(tmp_path, small(40, failed=0, pruned=0, running=0))
    small_ones = trials.iloc[:12].assign(image_size=32, parameter_ratio=99.0)
    mixed = balance_of(pd.concat([trials.iloc[12:], small_ones], ignore_index=True))
    alone = balance_of(trials.iloc[12:])
    assert mixed.image_size == 64
    assert mixed.crossing.ratio == alone.crossing.ratio
    assert "trials of 2 image sizes: only 64 px is used (left out 32 px: 12)" in mixed.notes[0]


@pytest.mark.parametrize(("verdict", "trend"), list(UNJUDGED_TRENDS.items()))
def test_a_level_loss_without_a_judge_is_no_balance(
    tmp_path: Path, verdict: str, trend: str
) -> None:
    """Trials of one ratio whose loss is level for want of a judge must not move the balance."""
    trials = trials_of(tmp_path, small(40, failed=0, pruned=0, running=0))
    others = trials.iloc[:12].assign(
        trial_id=[f"x{i}" for i in range(12)],
        configuration_id=[f"x{i}" for i in range(12)],
        parameter_ratio=4.0,
        adversarial_drift=0.0,
    )
    judged = others.assign(adversarial_trend="stagnant")
    unjudged = others.assign(adversarial_trend=trend)
    alone = balance_of(trials).crossing
    assert balance_of(pd.concat([trials, judged])).crossing.ratio != alone.ratio
    balance = balance_of(pd.concat([trials, unjudged]))
    assert balance.crossing.ratio == alone.ratio
    assert f"12 of 52 trials left out because the discriminator {verdict}" in balance.notes[0]


def test_trials_without_an_adversarial_share_are_left_out(tmp_path: Path) -> None:
    trials = trials_of(tmp_path, small(40, failed=0, pruned=0, running=0))
    trials.loc[:4, "adversarial_factor"] = 0.0
    balance = balance_of(trials)
    assert balance.n_trials == 35
    assert "5 trials with adversarial factor 0" in balance.notes[0]
