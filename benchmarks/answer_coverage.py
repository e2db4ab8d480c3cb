"""How often the answers of `analysis.statistics.nested` cover what was planted, and are wrong.

Run by `benchmarks.balance_coverage answers`. Studies are drawn by `tests.analysis.planted_study`:
seeds differ as measured (4 to 49 points, 29 in the mean square), configurations by 5 points more.

Wrong is: a slope that is called determined though it is 0 or has the other sign; a ratio that is
called balanced with a drift beyond 10 points, or not balanced with one within; no crossing though
there is one among the ratios tried; a best predictor where none is of use (or where the two that
are know the same); a determined correlation where quality and drift have nothing in common. True
skills and correlations are the medians over the runs: no formula gives them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from analysis.statistics.balance import balance_of
from analysis.statistics.nested.answers import BalanceAnswers, balance_answers
from tests.analysis.planted_study import Study, planted_study

STUDIES = {
    "grid, 16 seeds, no effect": Study(),
    "grid, 16 seeds, drift 10 at 0.8": Study(level=10),
    "grid, 16 seeds, slopes 6 and -4": Study(ratio_slope=6, width_slope=-4, harm=0.3),
    "grid, 16 seeds, AUC knows, drift harms": Study(early=0.6, harm=0.5),
    "grid, 4 seeds, slope 12": Study(ratio_slope=12, seeds=4, harm=0.3),
    "grid, configurations differ by 20": Study(ratio_slope=6, configuration_noise=20, seeds=8),
    "one width, 16 seeds, slope 12": Study(widths=(20,), ratio_slope=12),
    "search of 40, slope 15": Study(searched=40, ratio_slope=15, harm=0.3),
    "search of 40, no effect": Study(searched=40),
    "search of 14, no effect": Study(searched=14),
}
#: ratio of the target, at which `level` is the drift
TARGET = 0.8
COLUMNS = ("ratio slope", "width slope", "drift at 0.8", "skills", "correlation")


@dataclass
class _Tally:
    """What the runs of one study said."""

    covered: dict[str, list[bool]] = field(default_factory=dict)
    widths: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    #: what was determined, rightly or not
    said: Counter[str] = field(default_factory=Counter)
    #: estimates whose truth is their median, (value, low, high)
    open: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)

    def cover(self, name: str, truth: float, ends: tuple[float, float]) -> None:
        self.covered.setdefault(name, []).append(ends[0] <= truth <= ends[1])
        self.widths.setdefault(name, []).append(ends[1] - ends[0])

    def close(self) -> None:
        """Cover what has its truth from the runs; predictors count together."""
        for name, values in self.open.items():
            truth = float(np.median([value for value, _, _ in values]))
            for _, low, high in values:
                self.cover(name.split(":")[0], truth, (low, high))


def answer_table(n_runs: int) -> dict[str, dict[str, float]]:
    """Print what each study's intervals cover, with their widths, what was wrong and was said."""
    results = {}
    for name, study in STUDIES.items():
        tally = _Tally()
        for number in range(n_runs):
            trials = planted_study(np.random.default_rng((2026, number)), study)
            answers = balance_answers(
                balance_of(trials, n_draws=300), objective="set_swd", target_ratio=TARGET
            )
            _count(tally, answers, study)
        tally.close()
        results[name] = _summary(tally, n_runs)
        parts = [
            f"{column} {np.mean(tally.covered[column]):.1%} "
            f"(width {np.median(tally.widths[column]):.3g})"
            for column in COLUMNS
            if column in tally.covered
        ]
        print(f"{name}\n    covered: {', '.join(parts)}")
        wrong = ", ".join(f"{what} {n / n_runs:.1%}" for what, n in sorted(tally.wrong.items()))
        said = ", ".join(f"{what} {n / n_runs:.1%}" for what, n in sorted(tally.said.items()) if n)
        print(f"    wrong: {wrong}\n    said: {said or 'nothing'}", flush=True)
    return results


def _count(tally: _Tally, answers: BalanceAnswers, study: Study) -> None:
    for slope, truth in (
        (answers.ratio_slope, study.ratio_slope),
        (answers.width_slope, study.width_slope),
    ):
        if slope.per_doubling is None:
            continue
        short = "ratio slope" if slope is answers.ratio_slope else "width slope"
        tally.cover(short, truth, slope.per_doubling.interval())
        tally.wrong[short] += slope.determined and slope.per_doubling.value * truth <= 0
        tally.said[short] += slope.determined
    tally.said[answers.crossing] += answers.crossing != "not determined"
    found = answers.equivalence
    if found.drift is not None:
        tally.said["balanced"] += found.verdict == "yes"
        tally.said["not balanced"] += found.verdict == "no"
        tally.cover("drift at 0.8", study.level, found.drift.interval())
        # On the border both are wrong.
        tally.wrong["balanced"] += abs(study.level) >= 10 and found.verdict == "yes"
        tally.wrong["not balanced"] += abs(study.level) <= 10 and found.verdict == "no"
    crosses = study.ratio_slope != 0 or study.level == 0
    tally.wrong["does not cross"] += crosses and answers.crossing == "does not cross"
    if study.ratio_slope == 0:
        tally.wrong["crosses"] += answers.crossing == "crosses"
    _count_predictions(tally, answers, study)
    for each in answers.correlations:
        if each.name == "size of the drift" and each.rho is not None:
            assert each.low is not None
            assert each.high is not None
            tally.open.setdefault("correlation", []).append((each.rho, each.low, each.high))
            tally.said["correlation"] += each.determined
            tally.wrong["correlation"] += study.harm == 0 and each.determined


def _count_predictions(tally: _Tally, answers: BalanceAnswers, study: Study) -> None:
    for what, prediction in (
        ("drift", answers.drift_prediction),
        ("quality", answers.quality_prediction),
    ):
        for skill in prediction.skills:
            key = f"skills:{what} {skill.name}"
            tally.open.setdefault(key, []).append((skill.value, skill.low, skill.high))
        knows = study.early > 0 and (what == "drift" or study.harm > 0)
        tally.said[f"best predictor of the {what}"] += prediction.best is not None
        right = "AUC after 2 epochs" if knows else None
        tally.wrong[f"best predictor of the {what}"] += prediction.best not in (right, None)


def _summary(tally: _Tally, n_runs: int) -> dict[str, float]:
    covered = {f"{name} covered": float(np.mean(v)) for name, v in tally.covered.items()}
    widths = {f"{name} width": float(np.median(v)) for name, v in tally.widths.items()}
    wrong = {f"{name} wrong": n / n_runs for name, n in tally.wrong.items()}
    said = {f"{name} said": n / n_runs for name, n in tally.said.items()}
    return {k: v for k, v in (covered | widths | wrong | said).items() if math.isfinite(v)}
