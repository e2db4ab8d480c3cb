"""The balance of a run: at which ratio of the two networks does the adversarial loss stagnate?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.leaderboard.ranking import REPORT_TARGET_RATIO
from analysis.statistics.rank_correlation import Comparison, FloatArray, compare_predictors
from analysis.statistics.zero_crossing import Crossing, zero_crossing
from analysis.stored_run.columns import UNJUDGED_TRENDS

#: the three ratios, discriminator over generator, and what to call them
RATIO_NAMES = {
    "parameter_ratio": "parameter ratio",
    "conv_parameter_ratio": "parameter ratio without the last linear layer",
    "multiply_add_ratio": "multiply-add ratio",
}
#: searched parameters that move the drift beside the ratio; the rates on a logarithmic scale
_COVARIATES = ("generator_lr", "discriminator_lr", "adversarial_factor")
_AVERAGED = ("adversarial_drift", "generator_complexity")


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a run says about the balance of its networks."""

    n_trials: int
    #: trials that early stopping ended, which cannot count
    n_pruned: int
    #: the trials that count
    trials: pd.DataFrame
    #: configurations (n, columns): widths, the three ratios, the mean drift over their seeds
    configurations: pd.DataFrame
    image_size: int | None
    #: crossing of the drift's zero, by name of the ratio
    crossings: dict[str, Crossing]
    comparison: Comparison
    #: what was left out, one line each
    notes: tuple[str, ...]

    @property
    def crossing(self) -> Crossing:
        """The crossing of the parameter ratio, which the report's 0.8 is about."""
        return self.crossings["parameter_ratio"]

    def sentence(self) -> str:
        """The answer in words that a person can quote, beside the report's 0.8."""
        return self._answer() + (
            f" Early stopping ended {_count(self.n_pruned, 'more trial')}, whose drift is unknown: "
            f"those that count were chosen for their colours."
            if self.n_pruned
            else ""
        )

    def _answer(self) -> str:
        crossing = self.crossing
        where = f"at {self.image_size} px" if self.image_size else "in this run"
        counts = f"{_count(crossing.n_configurations, 'configuration')}, "
        counts += _count(self.n_trials, "trial")
        if not crossing.determined:
            return (
                f"The balancing parameter ratio {where} is not determined ({counts}): "
                f"{crossing.reason}. This run neither supports nor contradicts the report's "
                f"{REPORT_TARGET_RATIO}."
            )
        ratio, low, high = crossing.ratio, crossing.low, crossing.high
        assert ratio is not None
        assert low is not None
        assert high is not None
        place = (
            "lies above that interval"
            if high < REPORT_TARGET_RATIO
            else "lies below that interval"
            if low > REPORT_TARGET_RATIO
            else "lies inside that interval"
        )
        held = (
            ", learning rates and adversarial factor held at their means"
            if crossing.adjusted
            else ""
        )
        return (
            f"The adversarial loss {where} stagnates at a parameter ratio D/G of "
            f"{ratio_words(ratio)}, 90 % interval {ratio_words(low)} to {ratio_words(high)} "
            f"({counts}{held}). "
            f"The report's {REPORT_TARGET_RATIO} {place}."
        )


def ratio_words(ratio: float) -> str:
    """A ratio with two decimals, or with two digits where it is small or large."""
    return f"{ratio:.2f}" if 0.095 <= ratio < 10 else f"{ratio:.2g}"


def balance_of(trials: pd.DataFrame, *, n_draws: int | None = None) -> Balance:
    """Estimate the balance from the complete, adversarially trained trials of a trials table.

    Trials that share a `configuration_id` count as one configuration with the mean of their drifts.
    Where a run has several image sizes, only the most frequent one is used: the parameter ratio
    depends on it.

    Args:
        trials: the table.
        n_draws: of the bootstraps (default: 1,000, fewer above 200 configurations).
    """
    n_pruned = int((trials["state"] == "pruned").sum())
    trials, notes = _measured(trials)
    image_size = None
    if "image_size" in trials and trials["image_size"].notna().any():
        (image_size, _), *others = Counter(trials["image_size"].dropna().astype(int)).most_common()
        if others:
            left_out = ", ".join(f"{size} px: {n}" for size, n in others)
            notes.append(
                f"trials of {len(others) + 1} image sizes: only {image_size} px is used "
                f"(left out {left_out}), because the ratio depends on the size"
            )
            trials = trials[trials["image_size"] == image_size]
    configurations = _configurations(trials)
    if n_draws is None:
        # Hundreds of configurations leave little to resolve, and each draw costs as much as they.
        n_draws = min(1000, max(300, 200_000 // max(1, len(configurations))))
    drift = configurations["adversarial_drift"].to_numpy(dtype=np.float64)
    ratios = {
        name: configurations[name].to_numpy(dtype=np.float64)
        for name in RATIO_NAMES
        if name in configurations
    }
    covariates = covariates_of(configurations)
    crossings = {
        name: _crossing(ratios.get(name), drift, covariates, n_draws) for name in RATIO_NAMES
    }
    whole = {name: values for name, values in ratios.items() if np.isfinite(values).all()}
    return Balance(
        n_trials=len(trials),
        trials=trials,
        n_pruned=n_pruned,
        configurations=configurations,
        image_size=image_size,
        crossings=crossings,
        comparison=compare_predictors(whole or {"parameter_ratio": np.empty(0)}, drift),
        notes=tuple(notes),
    )


def _measured(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Complete trials with a ratio and a drift that says something about the balance."""
    notes: list[str] = []
    for name in ("adversarial_drift", "parameter_ratio"):
        if name not in trials:
            return trials.head(0).assign(adversarial_drift=[], parameter_ratio=[]), notes
    complete = trials[trials["state"] == "complete"]
    usable = complete["adversarial_drift"].notna() & (complete["parameter_ratio"] > 0)
    if "adversarial_factor" in complete:
        unused = complete["adversarial_factor"] == 0
        if unused.any():
            notes.append(
                f"{_count(int(unused.sum()), 'trial')} with adversarial factor 0 left out: the "
                f"generator does not follow the adversarial loss"
            )
        usable &= ~unused
    for verdict, trend in UNJUDGED_TRENDS.items():
        unjudged = usable & (complete["adversarial_trend"] == trend)
        if unjudged.any():
            notes.append(
                f"{int(unjudged.sum())} of {_count(int(usable.sum()), 'trial')} left out because "
                f"the discriminator {verdict}: there a level loss is no sign of balance"
            )
        usable &= ~unjudged
    return complete[usable], notes


def configuration_keys(trials: pd.DataFrame) -> pd.Series[Any]:
    """What the seeds of one configuration share (n_trials,)."""
    own = trials["trial_id"]
    if "repeat_of" in trials:
        own = trials["repeat_of"].where(trials["repeat_of"].notna(), own)
    if "configuration_id" in trials:
        return trials["configuration_id"].where(trials["configuration_id"].notna(), own)
    return own


def _configurations(trials: pd.DataFrame) -> pd.DataFrame:
    """One row a configuration: the mean of the seeds' drifts, everything else is shared."""
    names = [name for name in (*_AVERAGED, *RATIO_NAMES, *_COVARIATES) if name in trials]
    grouped = trials[names].groupby(configuration_keys(trials).to_numpy(), sort=False)
    return grouped.mean().assign(n_seeds=grouped.size()).reset_index(drop=True)


def covariates_of(configurations: pd.DataFrame) -> FloatArray | None:
    """Searched causes of drift beside the networks' sizes (n, k), None where none is known."""
    columns: list[FloatArray] = []
    for name in _COVARIATES:
        if name not in configurations or configurations[name].isna().any():
            continue
        values = configurations[name].to_numpy(dtype=np.float64)
        if name.endswith("_lr"):
            if (values <= 0).any():
                continue
            values = np.log10(values)
        columns.append(values)
    return np.column_stack(columns) if columns else None


def _crossing(
    ratio: FloatArray | None, drift: FloatArray, covariates: FloatArray | None, n_draws: int
) -> Crossing:
    if ratio is None:
        return Crossing(determined=False, reason="the ratio was not stored", n_configurations=0)
    known = np.isfinite(ratio) & (ratio > 0)
    return zero_crossing(
        ratio[known],
        drift[known],
        None if covariates is None else covariates[known],
        n_draws=n_draws,
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
