"""Runs side by side: best, means and deviations, balance and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.ranking import REPORT_TARGET_RATIO, Weights
from analysis.leaderboard.winners import winners
from analysis.statistics.balance import balance_of, ratio_words
from analysis.stored_run.columns import STATES
from analysis.stored_run.run import Run
from analysis.stored_run.run_folder_error import RunFolderError
from models.metrics.names import METRICS

_LABEL_WIDTH = 30
_WIDTH = 100


def compare_runs(
    runs: Sequence[Run],
    *,
    target_ratio: float = REPORT_TARGET_RATIO,
    weights: Weights | None = None,
) -> pd.DataFrame:
    """Summarise each run in one row.

    Columns: `run, status, objective, image_size`, the number of trials by state, `best_colours` and
    `best_balance` (the trials), `best_NAME` (of the best colours), `mean_NAME` and
    `sd_NAME` (over the complete trials) of every validation metric, `repeats, repeat_mean,
    repeat_sd` (objective over the seeds of the configuration with the best colours),
    `stagnant_share` (of the complete trials), `balance_ratio, balance_low, balance_high` (missing
    where not determined) and `balance` in words, `trial_hours` (sum over all trials), `wall_hours`
    and `images`.

    Raises:
        RunFolderError: no run was given.
    """
    if not runs:
        raise RunFolderError("compare needs at least one RUN, but got none")
    return pd.DataFrame([_summary(run, target_ratio, weights) for run in runs])


def comparison_text(comparison: pd.DataFrame) -> str:
    """Lay out a comparison with one column a run, no line wider than 100 cells."""
    per_row = max(1, min(len(comparison), (_WIDTH - _LABEL_WIDTH) // 18))
    blocks = [
        _block(comparison.iloc[start : start + per_row])
        for start in range(0, len(comparison), per_row)
    ]
    notes = [f"{row['run']}: {row['balance']}" for row in comparison.to_dict("records")]
    if comparison["image_size"].nunique() > 1:
        notes.append("The runs differ in image size: their metrics and ratios do not compare.")
    return "\n\n".join([*blocks, *map(_wrapped, notes)]) + "\n"


def _summary(run: Run, target_ratio: float, weights: Weights | None) -> dict[str, Any]:
    board = build_leaderboard(run, target_ratio=target_ratio, weights=weights)
    complete = board[board["state"] == "complete"]
    chosen = winners(board, run.objective)
    marked = board[board["trial_id"] == chosen.best_colours]
    best = marked.iloc[0] if len(marked) else None
    balance = balance_of(run.trials)
    repeats = _repeats(complete, best, run.objective)
    return {
        "run": run.name,
        "status": run.status,
        "objective": run.objective,
        "image_size": balance.image_size if balance.image_size else run.data.get("image_size"),
        "trials": len(board),
        **{state: int((board["state"] == state).sum()) for state in STATES},
        "best_colours": chosen.best_colours,
        "best_balance": chosen.best_balance,
        **{f"best_{name}": np.nan if best is None else best[name] for name in METRICS},
        **{f"mean_{name}": complete[name].mean() for name in METRICS},
        **{f"sd_{name}": complete[name].std() for name in METRICS},
        "repeats": len(repeats),
        "repeat_mean": repeats.mean(),
        "repeat_sd": repeats.std(),
        "stagnant_share": (complete["adversarial_trend"] == "stagnant").mean(),
        "balance_ratio": _number(balance.crossing.ratio),
        "balance_low": _number(balance.crossing.low),
        "balance_high": _number(balance.crossing.high),
        "balance": balance.sentence(),
        "trial_hours": board["seconds"].sum() / 3600,
        "wall_hours": _wall_hours(board),
        "images": board["images"].sum() if "images" in board else np.nan,
    }


def _repeats(complete: pd.DataFrame, best: pd.Series[Any] | None, objective: str) -> pd.Series[Any]:
    """The objective over all seeds of a trial's configuration."""
    if best is None or "configuration_id" not in complete:
        return complete[objective].head(0 if best is None else 1)
    values: pd.Series[Any] = complete.loc[
        complete["configuration_id"] == best["configuration_id"], objective
    ]
    return values


def _wall_hours(board: pd.DataFrame) -> float:
    if "started_at" not in board or "ended_at" not in board:
        return float("nan")
    times = [
        pd.to_datetime(board[name], utc=True, errors="coerce")
        for name in ("started_at", "ended_at")
    ]
    return float((times[1].max() - times[0].min()).total_seconds() / 3600)


def _block(runs: pd.DataFrame) -> str:
    width = min(24, (_WIDTH - _LABEL_WIDTH) // len(runs) - 1)
    records = runs.to_dict("records")
    rows: list[tuple[str, list[str]]] = [
        ("", [str(r["run"]) for r in records]),
        ("status", [str(r["status"]) for r in records]),
        ("image size", [_value(r["image_size"], ".0f") for r in records]),
        *((name, [str(r[name]) for r in records]) for name in ("trials", *STATES)),
        ("best colours", [_value(r["best_colours"], "s") for r in records]),
        ("best balance", [_value(r["best_balance"], "s") for r in records]),
    ]
    objectives = dict.fromkeys(r["objective"] for r in records)
    for name in dict.fromkeys((*objectives, "grey_skill", "colorfulness_gap")):
        rows.append((f"{name}: best colours", [_value(r[f"best_{name}"], ".4g") for r in records]))
        rows.append(
            ("  mean ± deviation", [_spread(r, f"mean_{name}", f"sd_{name}") for r in records])
        )
    rows += [
        ("best colours over its seeds", [_spread(r, "repeat_mean", "repeat_sd") for r in records]),
        ("  seeds", [str(r["repeats"]) for r in records]),
        ("stagnant share", [_value(r["stagnant_share"], ".0%") for r in records]),
        ("balancing ratio", [_value(r["balance_ratio"], ".2f") for r in records]),
        ("  90 % interval", [_interval(r) for r in records]),
        ("hours of trials", [_value(r["trial_hours"], ".2f") for r in records]),
        ("hours on the clock", [_value(r["wall_hours"], ".2f") for r in records]),
        ("photos seen", [_value(r["images"], ",.0f") for r in records]),
    ]
    return "\n".join(
        f"{label:<{_LABEL_WIDTH}}" + " ".join(_right(cell, width) for cell in cells)
        for label, cells in rows
    )


def _spread(row: dict[Any, Any], mean: str, deviation: str) -> str:
    value = _value(row[mean], ".4g")
    return value if row[deviation] != row[deviation] else f"{value} ± {row[deviation]:.2g}"


def _interval(row: dict[Any, Any]) -> str:
    if row["balance_low"] != row["balance_low"]:
        return "not determined"
    return f"{ratio_words(row['balance_low'])} to {ratio_words(row['balance_high'])}"


def _wrapped(note: str) -> str:
    lines = Text(note).wrap(Console(width=_WIDTH), _WIDTH)
    return "\n".join(line.plain.rstrip() for line in lines)


def _right(cell: str, width: int) -> str:
    excess = cell_len(cell) - width
    return set_cell_size(cell, width - 1) + "…" if excess > 0 else " " * -excess + cell


def _value(value: Any, spec: str) -> str:
    return "-" if value is None or value != value else format(value, spec)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
