"""The objective on the validation photos after each epoch, of every trial."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from analysis.report.figures.overlay import Overlay, TrialCurve, overlay_of
from analysis.stored_run.columns import STATES
from analysis.stored_run.run import Run


def validation_curves(run: Run, trial_ids: list[str]) -> dict[str, TrialCurve]:
    """The objective over the epochs of each trial that was validated, by its identifier."""
    found = {}
    for trial_id in trial_ids:
        rows = [
            (float(row["epoch"]), _number(row.get(run.objective)))
            for row in run.validation(trial_id)
            if isinstance(row.get("epoch"), int | float)
        ]
        if rows:
            epochs, values = zip(*rows, strict=True)
            found[trial_id] = TrialCurve(trial_id, list(epochs), list(values))
    return found


def validation_overlay(
    run: Run, curves: Mapping[str, TrialCurve], labels: Mapping[str, str]
) -> Overlay:
    """Group the curves by the state of their trials."""
    state = dict(zip(run.trials["trial_id"], run.trials["state"], strict=True))
    groups = {
        name: [curve for trial_id, curve in curves.items() if state[trial_id] == name]
        for name in reversed(STATES)
    }
    return overlay_of(groups, labels)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None
