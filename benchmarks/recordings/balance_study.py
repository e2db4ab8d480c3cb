"""The answers of the recorded balance study to the four questions of docs/balance-study.md.

    python -m benchmarks.recordings.balance_study ROWS... [--target-ratio 0.8]

ROWS are recorded by the plans `balance` and `balance-pilot`; nothing is trained here. The method,
what counts and what decides stand in docs/balance-study.md, written before the first row. The
figures come from the functions that `chromatune report` uses.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.leaderboard.ranking import REPORT_TARGET_RATIO
from analysis.statistics.balance import Balance, balance_of
from analysis.statistics.curve_summary import summarise_curves
from analysis.statistics.nested.answers import balance_answers
from analysis.statistics.nested.early_signals import early_auc, early_gap
from analysis.statistics.nested.partial_correlation import correlation_lead, partial_correlation
from analysis.statistics.nested.samples import (
    EARLY_AUC,
    EARLY_GAP,
    drift_samples,
    training_samples,
)
from analysis.statistics.nested.statements import statements
from analysis.stored_run.trials import trials_table
from benchmarks.recordings.beginnings import key_of
from benchmarks.recordings.plans import BALANCE_EPOCHS, BALANCE_RATES
from benchmarks.recordings.recorder import CURVE
from benchmarks.recordings.rows import Row, read_rows
from models.metrics.objective import DEFAULT_GUARDS, DEFAULT_OBJECTIVE, Guard, Objective
from models.networks.complexity import network_sizes
from models.training.settings import TrainingSettings

PLANS = ("balance", "balance-pilot")
#: what may take the place of the drift as the measure of balance, and the drift itself
DRIFT, RIVALS = (
    "size of the drift",
    ("probability gap p(real) - p(fake)", "AUC of the discriminator"),
)


def study_trials(rows: Sequence[Row]) -> pd.DataFrame:
    """The recorded trainings as a trials table, one row each; those that ended early are failed.

    Discrimination is that on the choose photos, the quality (`penalized_objective`) that on the
    test photos after the last epoch: no epoch is chosen.
    """
    trainings: dict[str, list[Row]] = {}
    for row in rows:
        if row["plan"] in PLANS and row["kind"] == "branch":
            trainings.setdefault(_key(row["settings"]), []).append(row)
    return trials_table([_trial(f"{i:04d}", epochs) for i, epochs in enumerate(trainings.values())])


def _key(settings: dict[str, object]) -> str:
    """Equal for equal settings, also where a row is of before one of them came."""
    return key_of(settings=TrainingSettings.from_dict(settings).identity())


def _trial(trial_id: str, epochs: list[Row]) -> dict[str, object]:
    epochs = sorted(epochs, key=lambda row: row.get("epoch", math.inf))
    last, settings = epochs[-1], epochs[-1]["settings"]
    measured = [row for row in epochs if "failed" not in row]
    windows = [window for row in measured for window in _windows(row)]
    complete = last.get("epoch") == BALANCE_EPOCHS and "failed" not in last
    sizes = network_sizes(
        settings["generator_complexity"],
        settings["discriminator_complexity"],
        settings["image_size"],
    )
    names = ("generator_complexity", "discriminator_complexity", "generator_lr")
    trial: dict[str, object] = {
        "trial_id": trial_id,
        "state": "complete" if complete else "failed",
        "reason": last.get("failed"),
        "seed": settings["seed"],
        "configuration_id": _key({**settings, "seed": 0}),
        "image_size": settings["image_size"],
        **{name: settings[name] for name in (*names, "discriminator_lr", "adversarial_factor")},
        **vars(sizes),
        **summarise_curves(windows),
        EARLY_GAP: early_gap(windows),
        EARLY_AUC: early_auc(
            [{"discriminator_auc": _of(row, "discrimination", "auc", "choose")} for row in measured]
        ),
    }
    if complete:
        trial |= {
            "discriminator_auc": _of(last, "discrimination", "auc", "choose"),
            "penalized_objective": quality_of(last),
            "duality_gap": _of(last, "duality", "gap", "choose"),
        }
    return trial


def quality_of(row: Row) -> float | None:
    """The default objective with the penalties of its guards, on the test photos."""
    index = row["sets"].index("test")
    metrics = {name: values[index] for name, values in row["metrics"].items()}
    # Before `set_swd` was a metric it was recorded among the candidates, by another name.
    metrics.setdefault(DEFAULT_OBJECTIVE, row["candidates"]["set_swd_detail"][index])
    objective = Objective(DEFAULT_OBJECTIVE, tuple(Guard.parse(text) for text in DEFAULT_GUARDS))
    return objective.penalized(metrics)


def _windows(row: Row) -> list[dict[str, float | None]]:
    """The windows of an epoch's loss curves, with the epoch each of them ends at."""
    n = len(row["curve"]["step"])
    return [
        {
            **{name: row["curve"][name][i] for name in CURVE},
            "epoch": row["epoch"] - 1 + (i + 1) / n,
        }
        for i in range(n)
    ]


def _of(row: Row, group: str, name: str, photos: str) -> float | None:
    if group not in row:
        return None
    value: float | None = row[group][name][row["sets"].index(photos)]
    return value


def report(trials: pd.DataFrame, *, target_ratio: float) -> str:
    """The answers as Markdown, for the trainings at the first rates and at both."""
    first = np.isclose(trials["generator_lr"].to_numpy(dtype=np.float64), BALANCE_RATES[0][0])
    parts = [_part("At the first rates, which decide", trials[first], target_ratio)]
    if not first.all():
        parts.append(_part("At the second rates", trials[~first], target_ratio))
        parts.append(_part("At both, for the ratio of the rates", trials, target_ratio))
    return "\n\n".join(parts)


def _part(title: str, trials: pd.DataFrame, target_ratio: float) -> str:
    balance = balance_of(trials.reset_index(drop=True))
    answers = balance_answers(balance, objective=DEFAULT_OBJECTIVE, target_ratio=target_ratio)
    failed = int((trials["state"] == "failed").sum())
    lines = [
        f"## {title}",
        "",
        f"{len(trials)} trainings, {failed} of them failed or not whole; "
        f"{balance.n_trials} in {len(balance.configurations)} configurations count."
        + "".join(f" Note: {note}." for note in balance.notes),
        "",
        f"{_deviation(balance)}",
        "",
        "| question | verdict | answer |",
        "|---|---|---|",
        *(f"| {s.question} | {s.verdict} | {s.sentence} |" for s in statements(answers)),
        *_predictors("drift", answers.drift_prediction.skills),
        *_predictors("quality on unseen photos", answers.quality_prediction.skills),
        "",
        *_rivals(balance),
    ]
    return "\n".join(lines)


def _deviation(balance: Balance) -> str:
    variance = drift_samples(balance).seed_variance
    if variance is None:
        return "No configuration has two seeds, so their deviation is unknown."
    return (
        f"Between seeds of one configuration the drift differs by {math.sqrt(variance):.0f} points "
        f"(standard deviation); 29 were expected."
    )


def _predictors(what: str, skills: Sequence) -> list[str]:
    if not skills:
        return []
    head = ["", f"| predictor of the {what} | share of the error taken away (90 %) |", "|---|---|"]
    return head + [f"| {s.name} | {s.value:+.0%} ({s.low:+.0%} to {s.high:+.0%}) |" for s in skills]


def _rivals(balance: Balance) -> list[str]:
    """Whether something goes with the quality more strongly than the drift does."""
    trials = balance.trials
    if not len(trials):
        return []
    quality = -trials["penalized_objective"].to_numpy(dtype=np.float64)
    samples = training_samples(trials, quality)
    known = {"widths": samples.log2_width, "clusters": samples.clusters}
    lines = []
    for name in RIVALS:
        pair = (samples.balances[name], samples.balances[DRIFT])
        lead = correlation_lead(*pair, quality, **known)
        if lead is None:
            lines.append(f"Whether the {name} goes with quality more than drift: not determined.")
            continue
        low, high = lead.interval()
        verdict = "yes" if lead.value > 0 and lead.differs_from_zero else "not beyond doubt"
        lines.append(
            f"Does the {name} go with quality more strongly than the {DRIFT}? {verdict}: lead on "
            f"Fisher's scale {lead.value:+.2f} ({low:+.2f} to {high:+.2f})."
        )
    if "duality_gap" in trials:
        gap = trials["duality_gap"].to_numpy(dtype=np.float64)
        for what, values in ((DRIFT, samples.balances[DRIFT]), ("quality", quality)):
            found = partial_correlation("", gap, values, **known)
            if found.rho is not None:
                lines.append(
                    f"Duality gap and {what}: {found.rho:+.2f} "
                    f"({found.low:+.2f} to {found.high:+.2f})."
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--target-ratio", type=float, default=REPORT_TARGET_RATIO)
    options = parser.parse_args()
    trials = study_trials(read_rows(options.rows))
    if trials.empty:
        parser.error(
            f"no row of the plans {' and '.join(PLANS)} in {', '.join(map(str, options.rows))}"
        )
    print(report(trials, target_ratio=options.target_ratio))


if __name__ == "__main__":
    main()
