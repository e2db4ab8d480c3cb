"""The leaderboard: every trial of a run, ranked, with the reason for its place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.leaderboard.placement import reasons_of
from analysis.leaderboard.ranking import REPORT_TARGET_RATIO, Costs, Weights, costs_of, order_of
from analysis.leaderboard.repeats import repeat_words, with_repeats
from analysis.leaderboard.winners import winners
from analysis.statistics.pareto_front import pareto_front
from analysis.stored_run.columns import LEADERBOARD_COLUMNS, PENALIZED, badness
from analysis.stored_run.run import Run
from analysis.stored_run.run_folder_error import RunFolderError
from analysis.stored_run.running_trials import trials_with_progress
from models.metrics.names import METRIC_GOALS

_FIRST_EXTRAS = (
    "best",
    "why",
    "score",
    PENALIZED,
    "feasible",
    "reason",
    "discriminator_auc",
    "pareto_front",
)


def build_leaderboard(
    run: Run,
    *,
    sort: str | None = None,
    top: int | None = None,
    target_ratio: float = REPORT_TARGET_RATIO,
    weights: Weights | None = None,
) -> pd.DataFrame:
    """Rank the trials of a run; `ranking` documents the order.

    Args:
        run: the run, finished or not.
        sort: a column to order the rows by instead of the rank, best first: metrics by what is
            better, all others ascending; missing values last.
        top: keep the first rows only (default: all).
        target_ratio: discriminator over generator parameters that counts as balanced.
        weights: of the score's costs.

    Returns:
        One row a trial: the columns of `LEADERBOARD_COLUMNS` in their order, then `best` ("best
        colours", "best balance", both or missing), `why`, `score`, `penalized_objective`,
        `feasible`, `reason`, `discriminator_auc` where it was measured, `pareto_front` where the
        search had second objectives, and whatever else the run stored.

    Raises:
        RunFolderError: an unknown column, or a value out of range.
    """
    if top is not None and top < 1:
        raise RunFolderError(f"the number of rows must be at least 1, but got {top}")
    weights = weights or Weights()
    trials = with_repeats(trials_with_progress(run), run.objective)
    costs = costs_of(trials, objective=run.objective, target_ratio=target_ratio)
    score = costs.score(weights)
    order = order_of(trials, score)
    if len(run.objectives) > 1:
        trials = trials.assign(pareto_front=pareto_front(trials, run.objectives))
    board = trials.assign(
        score=np.round(score, 6),
        why=pd.Series(_whys(trials, costs, run), index=trials.index, dtype="str"),
    ).iloc[order]
    board = board.reset_index(drop=True).assign(rank=np.arange(1, len(board) + 1, dtype=np.int64))
    for name in LEADERBOARD_COLUMNS:
        if name not in board:
            board[name] = np.nan
    board["best"] = board["trial_id"].map(winners(board, run.objective).labels).astype("str")
    extras = [name for name in board.columns if name not in LEADERBOARD_COLUMNS]
    extras.sort(key=lambda name: _FIRST_EXTRAS.index(name) if name in _FIRST_EXTRAS else 99)
    board = board[[*LEADERBOARD_COLUMNS, *extras]]
    if sort is not None:
        board = _sorted(board, sort)
    return board if top is None else board.head(top)


def _whys(trials: pd.DataFrame, costs: Costs, run: Run) -> list[str]:
    goes_on = run.status not in ("interrupted", "failed")
    reasons = reasons_of(trials, costs, objective=run.objective, goes_on=goes_on)
    repeated = repeat_words(trials, run.objective)
    front = [
        "on the front" if on else "" for on in trials.get("pareto_front", [False] * len(trials))
    ]
    return [", ".join(filter(None, words)) for words in zip(front, repeated, reasons, strict=True)]


def _sorted(board: pd.DataFrame, name: str) -> pd.DataFrame:
    if name not in board:
        raise RunFolderError(
            f"the column to sort by must be one of {', '.join(board.columns)}, but got {name!r}"
        )
    values = board[name]
    if name in METRIC_GOALS:
        values = pd.Series(badness(name, values.to_numpy(dtype=np.float64)), index=board.index)
    order = values.sort_values(kind="stable", na_position="last").index
    return board.loc[order].reset_index(drop=True)
