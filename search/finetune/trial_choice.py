"""Which trial of a run a person means."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.stored_run.run import Run
from data_pipeline.errors import InputError

#: which winner: that with the best colours, or with the best balance, rank 1 of the leaderboard
By = Literal["colour", "balance"]
WINNERS: tuple[By, ...] = get_args(By)


def chosen_trial(run: Run, trial: str | None, *, by: By, command: str) -> dict[str, Any]:
    """The leaderboard's row of the trial that was named, or else of the winner.

    Args:
        run: to choose from.
        trial: a trial's id, whatever its state; zeros in front may be left out. None: the winner.
        by: which winner.
        command: what needs it, for the message.

    Raises InputError when the run has no such trial.
    """
    if by not in WINNERS:
        raise InputError(f"by must be one of {', '.join(WINNERS)}, but got {by!r}")
    board = build_leaderboard(run)
    rows = {str(row["trial_id"]): row for row in board.to_dict("records")}
    if trial is None:
        chosen = winners(board, run.objective)
        wanted = chosen.best_balance if by == "balance" else chosen.best_colours
        if wanted is None:
            raise InputError(
                f"{command} needs a trial that has ended, but {run.name} has none; wait for the "
                "search or resume it"
            )
    else:
        wanted = trial.zfill(4) if re.fullmatch(r"\d+", trial) else trial
        if wanted not in rows:
            last = max(rows, default="none")
            raise InputError(
                f"--trial must be a trial of the run (up to {last}), but got {trial!r}"
            )
    return {str(name): value for name, value in rows[wanted].items()}


def reason_of(row: dict[str, Any]) -> str | None:
    """Why a trial ended as it did, if that was written down."""
    # A table's missing text is NaN.
    reason = row.get("reason")
    return reason if isinstance(reason, str) and reason else None
