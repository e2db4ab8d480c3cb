"""The two winners of a run: the trial with the best colours and the one with the best balance.

They often differ. The leaderboard ranks by balance, so the best balance stands first in it; the
best colours are what a person who wants photos in colour takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.leaderboard.colour_order import ColourOrder, TrialColours
from analysis.leaderboard.repeats import keeps_guards
from analysis.stored_run.columns import PENALIZED, UNJUDGED_TRENDS, badness

BEST_COLOURS, BEST_BALANCE = "best colours", "best balance"
_VERDICTS = {trend: verdict for verdict, trend in UNJUDGED_TRENDS.items()}


@dataclass(frozen=True, kw_only=True)
class Winners:
    """Trial identifiers; both are None while no trial has ended."""

    best_colours: str | None
    best_balance: str | None
    #: names both and says why they differ
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

    The best colours are those of `colour_order`, by which the search itself judges; the best
    balance is rank 1. A trial that was stopped before its first validation is neither.
    """
    penalized = badness(objective, board.get(PENALIZED, board[objective]))
    measured = pd.Series(np.isfinite(penalized), index=board.index)
    ended = (board["state"] == "complete") | ((board["state"] == "pruned") & measured)
    if not ended.any():
        return Winners(best_colours=None, best_balance=None, why="No trial has ended.")
    board = board.assign(keeps=keeps_guards(board), badness=penalized)[ended]
    rows = {str(row["trial_id"]): row for row in board.to_dict("records")}
    order = ColourOrder()
    for row in rows.values():
        order.add(_colours_of(row))
    assert order.best is not None
    colours = rows[order.best.trial_id]
    balance = min(rows.values(), key=lambda row: row["rank"])
    return Winners(
        best_colours=colours["trial_id"],
        best_balance=balance["trial_id"],
        why=" ".join([_why(colours, balance, objective), *_buts(colours, balance, rows)]),
    )


def _colours_of(row: dict[Any, Any]) -> TrialColours:
    complete = row["state"] == "complete"
    configuration, phase = row.get("configuration_id"), row.get("phase")
    bad = row["badness"]
    return TrialColours(
        trial_id=row["trial_id"],
        badness=bad if bad == bad else np.inf,
        feasible=row["feasible"],
        # Its training was shorter: what was stopped early says nothing of the others.
        configuration=configuration if complete and isinstance(configuration, str) else None,
        is_repeat=complete and phase == "repeat",
    )


def _why(colours: dict[Any, Any], balance: dict[Any, Any], objective: str) -> str:
    if colours["trial_id"] == balance["trial_id"]:
        both = f"Trial {colours['trial_id']} has both the best colours and the best balance"
        return f"{both}: {objective} {_number(colours, objective)}; {_balance(balance)}."
    values = f"{_number(colours, objective)} against {_number(balance, objective)}"
    bad, others_bad = (badness(objective, _mean(row, objective)) for row in (colours, balance))
    # Else the sentence would contradict itself.
    if bool(colours.get("repeats")) > bool(balance.get("repeats")):
        values += " with one seed"
    elif not bad < others_bad and PENALIZED in colours:
        penalized = [f"{_mean(row, PENALIZED):.4g}" for row in (colours, balance)]
        values += f", or {' against '.join(penalized)} with the cost of guards"
    return (
        f"Trial {colours['trial_id']} has the best colours ({objective} {values}), "
        f"trial {balance['trial_id']} the best balance "
        f"({_balance(balance)}, against: {_balance(colours)})."
    )


def _buts(
    colours: dict[Any, Any], balance: dict[Any, Any], rows: dict[str, dict[Any, Any]]
) -> list[str]:
    """What a person should know besides of the winners, a sentence each."""
    found = []
    if balance["adversarial_trend"] in _VERDICTS:
        found.append(
            f"Trial {balance['trial_id']} is first by rank only: without a judge no balance."
        )
    if not any(row["keeps"] for row in rows.values()):
        states = {row["state"] for row in rows.values()}
        found.append(f"No {min(states)} trial satisfies the guards.")
    elif not colours["keeps"]:
        whose = "repeats" if colours["feasible"] else "colours"
        found.append(
            f"The {whose} of trial {colours['trial_id']} fail the guards, so that it ranks lower."
        )
    return found


def _balance(row: dict[Any, Any]) -> str:
    trend = row["adversarial_trend"]
    if trend in _VERDICTS:
        return f"its discriminator {_VERDICTS[trend]}"
    drift, ratio = row["adversarial_drift"], row["parameter_ratio"]
    words = [f"adversarial loss {trend}"]
    words += [f"drift {drift:+.1f} %"] if drift == drift else []
    words += [f"D/G {ratio:.2g}"] if ratio == ratio else []
    return ", ".join(words)


def _number(row: dict[Any, Any], objective: str) -> str:
    """The objective that the trial was chosen by: the mean of its repeats where there are any."""
    value = _mean(row, objective)
    if value != value:
        return "not measured"
    repeats = row.get("repeats", 0)
    over = f" over {repeats} {'seed' if repeats == 1 else 'seeds'}" if repeats else ""
    return f"{value:.4g}{over}"


def _mean(row: dict[Any, Any], name: str) -> float:
    """The objective, or the penalized one, over a trial's repeats, or else its own."""
    mean = row.get("penalized_mean" if name == PENALIZED else "objective_mean", np.nan)
    return float(mean if mean == mean else row.get(name, np.nan))
