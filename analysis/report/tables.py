"""What the report says in words and tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import pandas as pd

from analysis.leaderboard.winners import Winners
from analysis.report.figures.losses import LOSSES, LossInfo
from analysis.report.figures.overlay import TrialCurve
from analysis.statistics.balance import RATIO_NAMES, Balance, ratio_words
from analysis.statistics.change_point import Flattening
from analysis.statistics.discriminator_health import DiscriminatorHealth, discrimination_words
from analysis.stored_run.columns import STATES, badness
from analysis.stored_run.run import Run
from models.metrics.names import METRIC_GOALS, METRIC_MEANINGS, Goal

#: how the values of a column run when its best come first: `other` is neither up nor down
BestFirst = Literal["ascending", "descending", "other"]
_BEST_FIRST: dict[Goal, BestFirst] = {
    "minimize": "ascending",
    "maximize": "descending",
    "zero": "other",
    "one": "other",
}


class Column(NamedTuple):
    """A column of the page's leaderboard, with one cell a trial."""

    name: str
    title: str
    explanation: str
    #: what to show, and what to sort by, the best first (None: missing, stays last)
    texts: list[str]
    keys: list[float | str | None]
    is_text: bool
    best_first: BestFirst


#: name, title, format and explanation; what people compare first comes first, for narrow screens
_COLUMNS: tuple[tuple[str, str, str, str], ...] = (
    ("rank", "#", ".0f", "rank by balance, of the whole run"),
    ("trial_id", "trial", "", "the trial, and which winner it is"),
    ("OBJECTIVE", "", ".4g", "what the search optimised"),
    ("TEST", "", ".4g", "on the photos that chose nothing"),
    ("adversarial_trend", "trend", "", "of the adversarial loss, or the state of the trial"),
    (
        "adversarial_drift",
        "drift %",
        "+z.1f",
        "change of the adversarial loss over the last half of training, in per cent of its level",
    ),
    (
        "discriminator_auc",
        "AUC",
        ".2f",
        "how often the discriminator finds an unseen photo more real than an output (0.5 guesses)",
    ),
    ("parameter_ratio", "D/G", ".3g", "parameters of the discriminator over the generator's"),
    ("grey_skill", "grey_skill", "+z.3f", ""),
    ("colorfulness_gap", "colour gap", "+z.1f", ""),
    ("why", "why", "", "what put the trial where it stands"),
    ("generator_complexity", "G", ".0f", "width of the generator"),
    ("discriminator_complexity", "D", ".0f", "width of the discriminator"),
    ("generator_lr", "G rate", ".1e", "learning rate of the generator"),
    ("discriminator_lr", "D rate", ".1e", "learning rate of the discriminator"),
    ("adversarial_factor", "factor", ".2g", "share of the adversarial loss in the generator's"),
    ("epochs", "epochs", ".3g", "epochs trained"),
    ("seconds", "min", ".1f", "minutes of training"),
)


def leaderboard_columns(board: pd.DataFrame, objective: str) -> list[Column]:
    """Lay the leaderboard out for the page, every cell as text and as a key to sort by."""
    columns: list[Column] = []
    for name, title, spec, explanation in _COLUMNS:
        if name in ("OBJECTIVE", "TEST"):
            name = title = objective if name == "OBJECTIVE" else f"test_{objective}"
        if name not in board or any(column.name == name for column in columns):
            continue
        values = board[name].tolist()
        if name == "seconds":
            values = [value / 60 for value in values]
        if name == "adversarial_trend":
            pairs = zip(board["state"], values, strict=True)
            values = [trend if state == "complete" else state for state, trend in pairs]
        metric = name.removeprefix("test_")
        goal = METRIC_GOALS.get(metric, "minimize")
        ordered = values if not spec else badness(metric, values).tolist()
        columns.append(
            Column(
                name=name,
                title=title,
                explanation=f"{METRIC_MEANINGS[metric]}; {explanation}".rstrip("; ")
                if metric in METRIC_MEANINGS
                else explanation,
                texts=[_shown(value, spec) for value in values],
                keys=[None if _missing(value) else value for value in ordered],
                is_text=not spec,
                best_first=_BEST_FIRST[goal],
            )
        )
    return columns


def headline(run: Run) -> list[str]:
    """A few facts about the run for the top of the page."""
    counts = run.trials["state"].value_counts()
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if state in counts)
    facts = [run.status, f"{len(run.trials)} trials" + (f" ({states})" if states else "")]
    if isinstance(run.data.get("image_size"), int):
        facts.append(f"{run.data['image_size']} px")
    if isinstance(run.data.get("photos"), int):
        facts.append(f"{run.data['photos']:,} photos")
    if run.data.get("source"):
        facts.append(str(run.data["source"]))
    created = run.info.get("created_at")
    if isinstance(created, str) and len(created) >= 16:
        facts.append(created[:16].replace("T", " "))
    if run.broken_rows:
        facts.append(f"{run.broken_rows} damaged rows skipped")
    return facts


class WinnerFacts(NamedTuple):
    """What there is to say about a winner, every number as it is shown."""

    trial_id: str
    #: "best colours", "best balance" or both
    label: str
    #: trend of the adversarial loss, or the state of a trial that did not complete
    chip: str
    generator: str
    discriminator: str
    ratio: str
    rates: str
    factor: str
    metrics: list[tuple[str, str]]
    drift: str
    #: whether the discriminator tells unseen photos from outputs; None where nobody measured it
    judge: str | None
    why: str


def winner_facts(run: Run, board: pd.DataFrame, chosen: Winners) -> list[WinnerFacts]:
    """The facts on the best colours and, where it is another trial, on the best balance."""
    rows = {row["trial_id"]: row for row in board.to_dict("records")}
    return [_facts(run, rows[trial_id], label) for trial_id, label in chosen.labels.items()]


def _facts(run: Run, row: dict[Any, Any], label: str) -> WinnerFacts:
    def shown(name: str, spec: str) -> str:
        return _shown(row.get(name, math.nan), spec)

    names = (run.objective, f"test_{run.objective}", "grey_skill", "colorfulness_gap", "delta_e")
    return WinnerFacts(
        trial_id=row["trial_id"],
        label=label,
        chip=row["adversarial_trend"] if row["state"] == "complete" else row["state"],
        generator=shown("generator_complexity", ".0f"),
        discriminator=shown("discriminator_complexity", ".0f"),
        ratio=shown("parameter_ratio", ".2g"),
        rates=f"{shown('generator_lr', '.1e')} and {shown('discriminator_lr', '.1e')}",
        factor=shown("adversarial_factor", ".2g"),
        metrics=[(name, shown(name, ".3g")) for name in dict.fromkeys(names) if name in row],
        drift=drift_words(row),
        judge=_judge_words(row),
        why=row["why"],
    )


def _judge_words(row: dict[Any, Any]) -> str | None:
    auc = row.get("discriminator_auc", math.nan)
    return None if _missing(auc) else discrimination_words(auc)


def drift_words(row: dict[Any, Any]) -> str:
    """The drift of a trial with its interval."""
    drift = row.get("adversarial_drift", math.nan)
    if _missing(drift):
        return "drift not measured"
    low, high = (row.get(f"adversarial_drift_{end}", math.nan) for end in ("low", "high"))
    if _missing(low) or _missing(high):
        return f"drift {drift:+z.1f} %, its interval not determined"
    return f"drift {drift:+z.1f} % (90 % interval {low:+z.1f} to {high:+z.1f})"


def ratio_rows(balance: Balance) -> list[tuple[str, str, str]]:
    """For each ratio: its rank correlation with the drift and its balancing value, in words."""
    rows = []
    for correlation in balance.comparison.correlations:
        rho = (
            "not determined"
            if correlation.rho is None
            else f"{correlation.rho:+.2f} ({correlation.low:+.2f} to {correlation.high:+.2f})"
        )
        crossing = balance.crossings[correlation.name]
        value = (
            f"not determined: {crossing.reason}"
            if crossing.ratio is None or crossing.low is None or crossing.high is None
            else f"{ratio_words(crossing.ratio)} "
            f"({ratio_words(crossing.low)} to {ratio_words(crossing.high)})"
        )
        rows.append((RATIO_NAMES[correlation.name], rho, value))
    return rows


def unfinished_groups(board: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """State, reason and trials of what failed, was pruned or still runs, failures first."""
    unfinished = board[board["state"] != "complete"]
    groups: dict[tuple[str, str], list[str]] = {}
    for state, why, trial_id in zip(
        unfinished["state"], unfinished["why"], unfinished["trial_id"], strict=True
    ):
        groups.setdefault((state, why), []).append(trial_id)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] != "failed", -len(item[1])))
    return [(state, why, trials) for (state, why), trials in ordered]


def loss_records(
    board: pd.DataFrame, infos: list[LossInfo], validations: Mapping[str, TrialCurve]
) -> dict[str, Any]:
    """The curves that the page draws when someone asks for a trial, best rank first."""
    rows = {row["trial_id"]: row for row in board.to_dict("records")}
    return {
        info.trial_id: {
            "epoch": info.epoch,
            "raw": [info.raw[name] for name in LOSSES],
            "average": [info.average[name] for name in LOSSES],
            "line": info.drift_line,
            "flat": info.flattening.step if info.flattening.shape == "flattened" else None,
            "validation": list(validations.get(info.trial_id, TrialCurve("", [], [])))[1:],
            "rank": rows[info.trial_id]["rank"],
            "title": _curve_title(rows[info.trial_id]),
            "words": _curve_words(rows[info.trial_id], info.flattening, info.health),
        }
        for info in infos
    }


def _curve_title(row: dict[Any, Any]) -> str:
    label = "" if _missing(row["best"]) else f" · {row['best']}"
    return f"{row['trial_id']} · rank {row['rank']}{label}"


def _curve_words(row: dict[Any, Any], flattening: Flattening, health: DiscriminatorHealth) -> str:
    words = [f"trial {_curve_title(row)}, {row['state']}: {row['why']}"]
    trend = f"adversarial loss {row['adversarial_trend']}, {drift_words(row)}"
    if flattening.shape == "flattened":
        trend += f", flattened at epoch {flattening.step:.1f} at {flattening.level:.2f}"
    elif flattening.shape in ("flat throughout", "still moving"):
        trend += f", {flattening.shape}"
    words.append(trend)
    if health.probability_real is not None and health.probability_fake is not None:
        judged = (
            f"discriminator {health.verdict}, says “real” to "
            f"{health.probability_real:.0%} of photos and {health.probability_fake:.0%} of outputs"
        )
        if health.n_gave_up:
            judged += f", gave up in {health.n_gave_up / health.n_windows:.0%} of windows"
        if held_out := _judge_words(row):
            judged += f"; on unseen photos it {held_out}"
        words.append(judged)
    return ". ".join(word[:1].upper() + word[1:] for word in words) + "."


def _shown(value: Any, spec: str) -> str:
    if _missing(value):
        return "–"
    return format(value, spec) if spec else str(value)


def _missing(value: Any) -> bool:
    return value is None or value != value
