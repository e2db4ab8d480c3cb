"""The two winners of a run: the trial with the best colours and the one with the best balance.

They often differ. The leaderboard ranks by balance, so the best balance stands first in it; the
best colours are what a person who wants photos in colour takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.leaderboard.repeats import is_repeated, keeps_guards, ranked_penalized
from analysis.stored_run.columns import PENALIZED, UNJUDGED_TRENDS, badness

BEST_COLOURS, BEST_BALANCE = "best colours", "best balance"
_VERDICTS = {trend: verdict for verdict, trend in UNJUDGED_TRENDS.items()}


@dataclass(frozen=True, kw_only=True)
class Winners:
    """Trial identifiers; both are None while no trial has ended."""

    best_colours: str | None
    best_balance: str | None
    #: one line that names both and says why they differ
    why: str

    @property
    def labels(self) -> dict[str, str]:
        """What each winner is, by its identifier: "best colours", "best balance" or both."""
        named = ((self.best_colours, BEST_COLOURS), (self.best_balance, BEST_BALANCE))
        trials = dict.fromkeys(trial for trial, _ in named if trial is not None)
        return {
            trial: ", ".join(label for winner, label in named if winner == trial)
            for trial in trials
        }


def winners(board: pd.DataFrame, objective: str) -> Winners:
    """Name both winners of a leaderboard, whatever its rows are sorted by.

    Among the complete trials, or the pruned ones where none is complete, those that satisfy the
    guards come first, as winners are shown and exported. Of these the best balance is the one with
    the best rank. The best colours have the best penalized objective, by which the search itself
    judges; configurations that were trained again come before the others, and count with the mean
    over their repeats.
    """
    ended = next(
        (found for state in ("complete", "pruned") if len(found := board[board["state"] == state])),
        None,
    )
    if ended is None:
        return Winners(best_colours=None, best_balance=None, why="No trial has ended.")
    keeps = keeps_guards(ended)
    penalized = ranked_penalized(ended, objective), ended.get(PENALIZED, ended[objective])
    bad, own_bad = (np.nan_to_num(badness(objective, o), nan=np.inf) for o in penalized)
    order = np.lexsort((ended["rank"], own_bad, bad, ~is_repeated(ended), ~keeps))
    colours = ended.iloc[order[0]].to_dict()
    balance = ended.iloc[np.lexsort((ended["rank"], ~keeps))[0]].to_dict()
    but = ""
    if balance["adversarial_trend"] in _VERDICTS:
        but = f" Trial {balance['trial_id']} is first by rank only: without a judge no balance."
    if not keeps.any():
        but += f" No {ended['state'].iloc[0]} trial satisfies the guards."
    if colours["trial_id"] == balance["trial_id"]:
        why = f"Trial {colours['trial_id']} has both the best colours and the best balance"
        why = f"{why}: {_value(colours, objective)}; {_balance(balance)}."
    else:
        why = (
            f"Trial {colours['trial_id']} has the best colours ({_value(colours, objective)} "
            f"against {_number(balance, objective)}), trial {balance['trial_id']} the best balance "
            f"({_balance(balance)}, against: {_balance(colours)})."
        )
    return Winners(
        best_colours=colours["trial_id"], best_balance=balance["trial_id"], why=why + but
    )


def _balance(row: dict[Any, Any]) -> str:
    trend = row["adversarial_trend"]
    if trend in _VERDICTS:
        return f"its discriminator {_VERDICTS[trend]}"
    drift, ratio = row["adversarial_drift"], row["parameter_ratio"]
    words = [f"adversarial loss {trend}"]
    words += [f"drift {drift:+.1f} %"] if drift == drift else []
    words += [f"D/G {ratio:.2g}"] if ratio == ratio else []
    return ", ".join(words)


def _value(row: dict[Any, Any], objective: str) -> str:
    return f"{objective} {_number(row, objective)}"


def _number(row: dict[Any, Any], objective: str) -> str:
    """The objective that the trial was chosen by: the mean of its repeats where there are any."""
    mean = row.get("objective_mean", np.nan)
    if mean == mean:
        return f"{mean:.4g} over {row['repeats']} {'seed' if row['repeats'] == 1 else 'seeds'}"
    return f"{row[objective]:.4g}" if row[objective] == row[objective] else "not measured"
