"""What a whole run answers, against what was planted in it."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.balance import balance_of
from analysis.statistics.nested.answers import BalanceAnswers, balance_answers
from analysis.statistics.nested.statements import caveat, statements
from tests.analysis.planted_study import Study, planted_study

#: drift depends on the ratio and crosses zero at 0.8; the AUC knows the seeds; drift spoils colours
EFFECT = Study(ratio_slope=20, early=0.9, harm=1.0, seeds=6, seed_noise=15)


def answers_of(trials: pd.DataFrame, target_ratio: float = 0.8) -> BalanceAnswers:
    balance = balance_of(trials, n_draws=300)
    return balance_answers(balance, objective="set_swd", target_ratio=target_ratio)


def verdicts(answers: BalanceAnswers) -> list[str]:
    return [statement.verdict for statement in statements(answers)]


@pytest.fixture(scope="module")
def effect() -> BalanceAnswers:
    return answers_of(planted_study(np.random.default_rng(0), EFFECT))


def test_a_planted_effect_is_found(effect: BalanceAnswers) -> None:
    slope = effect.ratio_slope.per_doubling
    assert slope is not None
    low, high = slope.interval()
    assert low < 20 < high
    assert high - low < 8
    assert effect.ratio_slope.determined
    assert not effect.width_slope.determined
    assert effect.crossing == "crosses"
    ratio = effect.balance.crossing.ratio
    assert ratio is not None
    assert 0.6 < ratio < 1.1
    assert effect.equivalence.verdict == "yes"
    by_name = {each.name: each for each in effect.correlations}
    assert by_name["size of the drift"].determined
    assert (by_name["size of the drift"].rho or 0) < -0.3
    said = statements(effect)
    assert said[0].verdict == "yes"
    assert "each doubling of the parameter ratio D/G moves the drift by +" in said[0].sentence
    assert said[2].sentence.startswith("It does, at a parameter ratio of")
    assert "the smaller the size of the drift, the better the colours" in said[6].sentence


def test_the_drift_far_from_the_balance_is_no_balance() -> None:
    trials = planted_study(np.random.default_rng(0), EFFECT)
    assert answers_of(trials, target_ratio=3.2).equivalence.verdict == "no"
    beyond = answers_of(trials, target_ratio=20.0).equivalence
    assert beyond.verdict == "not determined"
    assert beyond.reason == "it lies outside the ratios tried (0.21 to 3.3)"


def test_without_an_effect_nothing_is_determined_but_how_many_trainings_it_takes() -> None:
    """In some of many runs chance may look like an effect, see benchmarks/balance_coverage.py."""
    wrong = 0
    for seed in range(12):
        study = Study(seeds=3, level=5)
        answers = answers_of(planted_study(np.random.default_rng((1, seed)), study))
        wrong += answers.ratio_slope.determined + answers.width_slope.determined
        wrong += answers.crossing == "crosses"
        wrong += answers.drift_prediction.best is not None
        wrong += answers.quality_prediction.best is not None
        if not answers.ratio_slope.determined:
            said = statements(answers)[0]
            assert "may be chance; about" in said.sentence
            assert "more trainings of new configurations like these would tell it to" in (
                said.sentence
            )
    assert wrong <= 2


def test_as_many_more_trainings_as_it_says_give_the_interval_it_says() -> None:
    reaches = []
    for seed in range(8):
        study = Study(searched=24, seed_noise=29)
        first = answers_of(planted_study(np.random.default_rng((2, seed)), study)).ratio_slope
        assert first.per_doubling is not None
        if first.more is None:
            continue
        # With one seed each: what is there counts as 24 x 1.9 trainings at most.
        more = replace(study, searched=24 + first.more)
        trials = planted_study(np.random.default_rng((3, seed)), more)
        trials = trials.groupby("configuration_id", as_index=False).head(1)
        second = answers_of(trials).ratio_slope.per_doubling
        assert second is not None
        reaches.append(second.reach())
    assert len(reaches) >= 6
    assert np.median(reaches) == pytest.approx(2.0, rel=0.15)


def test_a_drift_above_zero_everywhere_does_not_cross() -> None:
    trials = planted_study(np.random.default_rng(0), Study(level=60, seeds=6, seed_noise=20))
    answers = answers_of(trials)
    assert (answers.crossing, answers.sign) == ("does not cross", 1)
    assert "lies above zero: the discriminator gains" in statements(answers)[2].sentence
    trials["adversarial_drift"] *= -1
    assert answers_of(trials).sign == -1


def test_the_best_predictor_is_named_only_where_others_are_worse(effect: BalanceAnswers) -> None:
    """Three ratios tell the same; an AUC that knows the seeds as well tells more."""
    drift = effect.drift_prediction
    assert drift.skills[0].name == "parameter ratio" or "ratio" in drift.skills[0].name
    assert drift.best is None
    assert drift.rivals
    assert "not beyond doubt that it is better than" in statements(effect)[4].sentence
    study = Study(early=0.95, seeds=8)
    only_auc = answers_of(planted_study(np.random.default_rng(0), study)).drift_prediction
    assert only_auc.best == "AUC after 2 epochs"
    assert only_auc.skills[0].low > 0.5


def test_one_width_says_nothing_of_widths() -> None:
    trials = planted_study(np.random.default_rng(0), replace(EFFECT, widths=(20,), seeds=12))
    answers = answers_of(trials)
    assert answers.ratio_slope.determined
    assert answers.width_slope.reason == "all trials have the same generator width"
    assert verdicts(answers)[1] == "not determined"


def test_equal_ratios_say_nothing_of_the_ratio() -> None:
    study = Study(ratios=(0.8,), widths=(12, 16, 20, 24, 28, 32), seed_noise=8, seeds=8)
    trials = planted_study(np.random.default_rng(0), study).assign(parameter_ratio=0.8)
    answers = answers_of(trials)
    assert answers.ratio_slope.reason == "all trials have the same parameter ratio"
    # The drift at that ratio is known all the same.
    assert answers.equivalence.verdict == "yes"
    away = answers_of(trials, target_ratio=1.6)
    assert away.equivalence.verdict == "not determined"


def test_one_discriminator_for_all_cannot_tell_ratio_from_width() -> None:
    """As in the report's own study: the ratio goes as the width to the power of -2."""
    rng = np.random.default_rng(0)
    parts = []
    for i, width in enumerate((12, 16, 20, 24, 28, 32, 40, 48)):
        ratio = 0.8 * (20 / width) ** 2
        one = planted_study(rng, Study(widths=(width,), ratios=(ratio,), seeds=3))
        parts.append(one.assign(configuration_id=f"w{i}"))
    trials = pd.concat(parts, ignore_index=True)
    trials["trial_id"] = [f"{i:04d}" for i in range(len(trials))]
    answers = answers_of(trials)
    for slope, other in (
        (answers.ratio_slope, "generator width"),
        (answers.width_slope, "parameter ratio"),
    ):
        assert slope.reason == (f"it moved together with the {other}, so none can tell them apart")


@pytest.mark.parametrize("n", [0, 1, 3, 5])
def test_few_trials(n: int) -> None:
    trials = planted_study(np.random.default_rng(0), replace(EFFECT, seeds=1)).head(n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers = answers_of(trials)
    assert set(verdicts(answers)) == {"not determined"}
    assert all(each.sentence.endswith(".") for each in statements(answers))


def test_a_run_without_objective_or_early_signals_still_answers_the_first_questions() -> None:
    trials = planted_study(np.random.default_rng(0), EFFECT).drop(
        columns=["penalized_objective", "early_auc", "early_probability_gap", "generator_lr"]
    )
    answers = answers_of(trials)
    assert answers.ratio_slope.determined
    assert answers.drift_prediction.skills
    assert not answers.quality_prediction.skills
    assert all(each.rho is None for each in answers.correlations)


def test_early_stopping_is_named() -> None:
    trials = planted_study(np.random.default_rng(0), EFFECT)
    assert caveat(answers_of(trials)) == ""
    trials.loc[:9, "state"] = "pruned"
    assert caveat(answers_of(trials)).startswith("Early stopping ended 10 trials, not at random")
