"""Why a trial stands where it stands, in a few words."""

from __future__ import annotations

import math

import pandas as pd

from analysis.leaderboard.ranking import Costs

_GOOD_COST = 0.35
_BAD_COST = 1.5
_FAR_COST = 1.0

_TREND_WORDS = {
    "stagnant": "balanced",
    "unclear": "balance unclear",
    "rising": "D too strong",
    "falling": "G too strong",
    # The loss of a discriminator that says the same to everything is level, but not balanced.
    "idle": "D gave up",
    "overpowered": "D always wins",
}


def reasons_of(
    trials: pd.DataFrame, costs: Costs, *, objective: str, goes_on: bool = True
) -> list[str]:
    """A few words a trial (n_trials): G is the generator, D the discriminator.

    A rising adversarial loss means a discriminator that wins, a falling one a generator that does.
    `goes_on` says whether the search does; else its open trials wait for it to be resumed.
    """
    columns = [
        trials["state"].tolist(),
        trials["reason"].tolist(),
        trials["feasible"].tolist(),
        trials["adversarial_trend"].tolist(),
        costs.ratio.tolist(),
        costs.objective.tolist(),
    ]
    return [
        _complete(*parts, objective=objective)
        if state == "complete"
        else _unfinished(state, reason, goes_on=goes_on)
        for state, reason, *parts in zip(*columns, strict=True)
    ]


def _unfinished(state: str, reason: object, *, goes_on: bool) -> str:
    if isinstance(reason, str):
        return reason
    if state == "running":
        return "still training" if goes_on else "interrupted"
    return "no reason stored"


def _complete(
    feasible: bool,
    trend: str,
    ratio_cost: float,
    objective_cost: float,
    *,
    objective: str,
) -> str:
    words = [] if feasible else ["colours fail the guards"]
    words.append(_TREND_WORDS[trend])
    if math.isnan(objective_cost):
        words.append(f"no {objective}")
    elif objective_cost == 0:
        words.append(f"best {objective}")
    elif objective_cost <= _GOOD_COST:
        words.append(f"good {objective}")
    elif objective_cost >= _BAD_COST:
        words.append(f"weak {objective}")
    if ratio_cost >= _FAR_COST:
        words.append("ratio off")
    return ", ".join(words)
