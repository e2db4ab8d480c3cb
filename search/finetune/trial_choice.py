"""Which trial of a run a person means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.stored_run.run import Run
from data_pipeline.errors import InputError

#: which winner: that with the best colours, or with the best balance, rank 1 of the leaderboard
By = Literal["colour", "balance"]
WINNERS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, kw_only=True)
class ChosenTrial:
    """What the leaderboard says of a trial."""

    trial_id: str
    #: complete, pruned, failed or running
    state: str
    #: why it ended as it did, if that was written down
    reason: str | None
    epochs: int
    adversarial_drift: float | None
    adversarial_trend: str | None
    #: all columns, by their names
    columns: Mapping[str, object]

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> ChosenTrial:
        """Read a row of the leaderboard, in which NaN is what is missing."""
        known = {name: None if value != value else value for name, value in row.items()}
        drift, trend, reason = (
            known.get(name) for name in ("adversarial_drift", "adversarial_trend", "reason")
        )
        epochs = known.get("epochs")
        return cls(
            trial_id=str(row["trial_id"]),
            state=str(row["state"]),
            reason=str(reason) if reason else None,
            epochs=int(epochs) if isinstance(epochs, int | float) else 0,
            adversarial_drift=float(drift) if isinstance(drift, int | float) else None,
            adversarial_trend=None if trend is None else str(trend),
            columns=row,
        )


def chosen_trial(run: Run, trial: str | None, *, by: By, command: str) -> ChosenTrial:
    """The trial that was named, or else the winner.

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
    return ChosenTrial.from_row({str(name): value for name, value in rows[wanted].items()})
