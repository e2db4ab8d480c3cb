"""What the report says in words and tables."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pandas as pd

from analysis.report.figures.losses import LOSSES, LossInfo
from analysis.statistics.balance import RATIO_NAMES, Balance, ratio_words
from analysis.statistics.change_point import Flattening
from analysis.statistics.discriminator_health import DiscriminatorHealth
from analysis.stored_run.columns import ENDED, STATES
from analysis.stored_run.run import Run


class Column(NamedTuple):
    """A column of the page's leaderboard, with one cell a trial."""

    name: str
    title: str
    #: what to show, and what to sort by (None: missing, stays last)
    texts: list[str]
    keys: list[float | str | None]
    is_text: bool


_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("rank", "#", ".0f"),
    ("trial_id", "trial", ""),
    ("adversarial_trend", "trend", ""),
    ("why", "why", ""),
    ("adversarial_drift", "drift %", "+z.1f"),
    ("parameter_ratio", "D/G", ".3g"),
    ("generator_complexity", "G", ".0f"),
    ("discriminator_complexity", "D", ".0f"),
    ("OBJECTIVE", "", ".4g"),
    ("grey_skill", "grey_skill", "+z.3f"),
    ("colorfulness_gap", "colour gap", "+z.1f"),
    ("generator_lr", "G rate", ".1e"),
    ("discriminator_lr", "D rate", ".1e"),
    ("adversarial_factor", "factor", ".2g"),
    ("epochs", "epochs", ".3g"),
    ("seconds", "min", ".1f"),
)


def leaderboard_columns(board: pd.DataFrame, objective: str) -> list[Column]:
    """Lay the leaderboard out for the page, every cell as text and as a key to sort by."""
    columns: list[Column] = []
    for name, title, spec in _COLUMNS:
        if name == "OBJECTIVE":
            name, title = objective, objective
        if name not in board or any(column.name == name for column in columns):
            continue
        values = board[name].tolist()
        if name == "seconds":
            values = [value / 60 for value in values]
        if name == "adversarial_trend":
            pairs = zip(board["state"], values, strict=True)
            values = [trend if state == "complete" else state for state, trend in pairs]
        keys = [None if _missing(value) else value for value in values]
        texts = [_shown(value, spec) for value in values]
        columns.append(Column(name, title or name, texts, keys, not spec))
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


def winner_facts(run: Run, board: pd.DataFrame) -> dict[str, Any] | None:
    """What there is to say about rank 1; None while no trial has been validated to its end."""
    if not len(board) or board["state"].iloc[0] not in ENDED:
        return None
    row = board.iloc[0].to_dict()

    def shown(name: str, spec: str) -> str:
        return _shown(row.get(name, math.nan), spec)

    metrics = dict.fromkeys((run.objective, "grey_skill", "colorfulness_gap", "delta_e"))
    return {
        "trial_id": row["trial_id"],
        "state": row["state"],
        "generator": shown("generator_complexity", ".0f"),
        "discriminator": shown("discriminator_complexity", ".0f"),
        "ratio": shown("parameter_ratio", ".2g"),
        "rates": f"{shown('generator_lr', '.1e')} and {shown('discriminator_lr', '.1e')}",
        "factor": shown("adversarial_factor", ".2g"),
        "metrics": [(name, shown(name, ".3g")) for name in metrics],
        "trend": row["adversarial_trend"],
        "chip": row["adversarial_trend"] if row["state"] == "complete" else row["state"],
        "drift": drift_words(row),
        "gave_up": row.get("discriminator_verdict") == "gave up",
        "why": row["why"],
        "feasible": bool(row["feasible"]),
    }


def drift_words(row: dict[Any, Any]) -> str:
    """The drift of a trial with its interval."""
    drift = row.get("adversarial_drift", math.nan)
    if _missing(drift):
        return "drift not measured"
    low, high = (row.get(f"adversarial_drift_{end}", math.nan) for end in ("low", "high"))
    if _missing(low) or _missing(high):
        return f"drift {drift:+z.1f} %, its interval not determined"
    return f"drift {drift:+z.1f} % (90 % interval {low:+z.1f} to {high:+z.1f})"


def predictor_rows(balance: Balance) -> list[tuple[str, str, str]]:
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


def loss_records(board: pd.DataFrame, infos: list[LossInfo]) -> dict[str, Any]:
    """The curves that the page draws when someone asks for a trial, best rank first."""
    rows = {row["trial_id"]: row for row in board.to_dict("records")}
    return {
        info.trial_id: {
            "epoch": info.epoch,
            "raw": [info.raw[name] for name in LOSSES],
            "average": [info.average[name] for name in LOSSES],
            "line": info.drift_line,
            "flat": info.flattening.step if info.flattening.shape == "flattened" else None,
            "rank": rows[info.trial_id]["rank"],
            "title": f"{info.trial_id} · rank {rows[info.trial_id]['rank']}",
            "words": _curve_words(rows[info.trial_id], info.flattening, info.health),
        }
        for info in infos
    }


def _curve_words(row: dict[Any, Any], flattening: Flattening, health: DiscriminatorHealth) -> str:
    words = [f"{row['state']}: {row['why']}"]
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
        words.append(judged)
    return ". ".join(word[:1].upper() + word[1:] for word in words) + "."


def _shown(value: Any, spec: str) -> str:
    if _missing(value):
        return "–"
    return format(value, spec) if spec else str(value)


def _missing(value: Any) -> bool:
    return value is None or value != value
