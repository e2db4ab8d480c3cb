"""The two winners of a run: the trial with the best colours and the one with the best balance.

They often differ. The leaderboard ranks by balance, so the best balance stands first in it; the
best colours are what a person who wants photos in colour takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
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
    *_, best = None, *best_colours_so_far(board, objective)
    if best is None:
        return Winners(best_colours=None, best_balance=None, why="No trial has ended.")
    board = board.assign(keeps=keeps_guards(board)).sort_values("rank")
    ended = board[_ended_well(board, _badness(board, objective))]
    colours = ended[ended["trial_id"] == best].iloc[0].to_dict()
    balance = ended.iloc[0].to_dict()
    but = _buts(
        colours, balance, guarded=bool(ended["keeps"].any()), states=ended["state"].unique()
    )
    return Winners(
        best_colours=best,
        best_balance=balance["trial_id"],
        why=" ".join([_why(colours, balance, objective), *but]),
    )


def best_colours_so_far(trials: pd.DataFrame, objective: str) -> list[str | None]:
    """For each row of a table of trials, which has the best colours of it and those before it."""
    bad = _badness(trials, objective)
    complete = trials["state"] == "complete"
    absent = pd.Series(index=trials.index, dtype="object")
    # What was stopped early says nothing of those that trained to the end, nor they of it.
    configuration = trials.get("configuration_id", absent).where(complete)
    columns = (
        _ended_well(trials, bad),
        trials["trial_id"],
        np.where(np.isnan(bad), np.inf, bad),
        trials["feasible"],
        configuration.astype("object").where(configuration.notna(), None),
        trials.get("phase", absent) == "repeat",
    )
    order, best = ColourOrder(), []
    for ended, *colours in zip(*(column.tolist() for column in columns), strict=True):
        if ended:
            order.add(TrialColours(*colours))
        best.append(order.best and order.best.trial_id)
    return best


def _badness(trials: pd.DataFrame, objective: str) -> npt.NDArray[np.float64]:
    """What the colours of trials are compared by (n_trials,), lower is better, NaN if missing."""
    return badness(objective, trials.get(PENALIZED, trials[objective]))


def _ended_well(trials: pd.DataFrame, bad: npt.NDArray[np.float64]) -> pd.Series[bool]:
    """Mark the complete trials, and those that were stopped after they had been measured."""
    stopped = (trials["state"] == "pruned") & np.isfinite(bad)
    return (trials["state"] == "complete") | stopped


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
        f"trial {balance['trial_id']} the best balance: {_contrast(balance, colours)}."
    )


def _contrast(balance: dict[Any, Any], colours: dict[Any, Any]) -> str:
    """What the losses of both winners say of their balance."""
    first, second = (_judged(row) for row in (balance, colours))
    if first.startswith(_LOSS) and second.startswith(_LOSS):
        second = second.replace(_LOSS, "that", 1)
    return f"{first}, while {second}"


_LOSS = "the adversarial loss"


def _judged(row: dict[Any, Any]) -> str:
    trial_id, trend = row["trial_id"], row["adversarial_trend"]
    if trend in _VERDICTS:
        return f"the discriminator of trial {trial_id} {_VERDICTS[trend]}"
    figures = ", ".join(_figures(row))
    return f"{_LOSS} of trial {trial_id} is {trend}{f' ({figures})' if figures else ''}"


def _buts(
    colours: dict[Any, Any], balance: dict[Any, Any], *, guarded: bool, states: Iterable[str]
) -> list[str]:
    """What a person should know of the winners besides, a sentence each.

    `guarded`: whether any trial that ended well, in one of the `states`, satisfies the guards.
    """
    found = []
    if balance["adversarial_trend"] in _VERDICTS:
        found.append(
            f"Trial {balance['trial_id']} is first by rank only: without a judge no balance."
        )
    if not guarded:
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
    return ", ".join([f"adversarial loss {trend}", *_figures(row)])


def _figures(row: dict[Any, Any]) -> list[str]:
    drift, ratio = row["adversarial_drift"], row["parameter_ratio"]
    words = [f"drift {drift:+.1f} %"] if drift == drift else []
    return words + ([f"D/G {ratio:.2g}"] if ratio == ratio else [])


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
