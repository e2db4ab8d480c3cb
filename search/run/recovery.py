"""Takes over the books of an earlier session of a run, from its folder and its study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import Trial

from models.metrics.names import METRICS
from search.run.directory import append_rows, cut_rows, read_rows, utc_now, write_json
from search.run.ended_trials import EndedTrial
from search.run.trial_files import take_up_rows
from search.run.trial_rows import OpenTrial, started_row
from search.study.creation import ASKED, suggest, trial_id_of
from search.study.sampler import sampler_for

if TYPE_CHECKING:
    from search.run.ledger import Ledger


def recover(ledger: Ledger) -> list[OpenTrial]:
    """Fill `ledger.ended`, tell the study what a kill kept from it; return interrupted trials."""
    interrupted: list[OpenTrial] = []
    written = read_rows(ledger.rows_path)
    cut_rows(ledger.rows_path, keep=len(written))
    rows = {row["trial_id"]: row for row in written}
    for frozen in ledger.study.get_trials(deepcopy=False, states=ASKED):
        trial_id = trial_id_of(frozen.number)
        row = rows.get(trial_id)
        if row and row["state"] != "running":
            ledger.ended.add(_ended_from(ledger, row))
        if not frozen.state.is_finished():
            opened = _take_up(ledger, frozen, row)
            if trial_id in ledger.ended:
                # Killed between the row and the study: the row is the truth.
                ledger.tell(opened, row["state"], row["reason"])  # type: ignore[index]
            elif opened.report and opened.report["done"]:
                ledger.open[trial_id] = opened
                ledger.finish(trial_id)
            else:
                interrupted.append(opened)
    return interrupted


def _take_up(
    ledger: Ledger, frozen: optuna.trial.FrozenTrial, row: dict[str, Any] | None
) -> OpenTrial:
    ledger.study.sampler = sampler_for(ledger.config, frozen.number, ledger.distributions)
    trial = Trial(ledger.study, frozen._trial_id)
    started_at = row["started_at"] if row else utc_now()
    # Killed while it was asked for: what was drawn so far stays, the rest is drawn now.
    for name, distribution in ledger.distributions.items():
        suggest(trial, name, distribution)
    opened = ledger.opened(trial, trial.params, started_at=started_at)
    opened.told_epoch = frozen.last_step or 0
    folder = ledger.run.trial_folder(opened.trial_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "parameters.json", opened.settings.to_dict())
    if row is None:
        append_rows(ledger.rows_path, [started_row(opened, ledger.config)])
    opened.windows, validations = take_up_rows(folder)
    opened.validations = validations
    if validations:
        opened.reported_epoch = validations[-1]["epoch"]
        opened.report = _report_from(ledger, validations)
    return opened


def _report_from(ledger: Ledger, validations: list[dict[str, Any]]) -> dict[str, Any]:
    last = validations[-1]
    best = min(validations, key=ledger.objective.sort_key)
    return {
        **{key: last[key] for key in ("epoch", "step", "images", "seconds")},
        "best_epoch": best["epoch"],
        "best_metrics": {name: best.get(name) for name in METRICS},
        "done": last["epoch"] >= ledger.config.max_epochs,
    }


def _ended_from(ledger: Ledger, row: dict[str, Any]) -> EndedTrial:
    value = None if row["state"] == "failed" else row.get(ledger.objective.metric)
    return EndedTrial(
        row["trial_id"],
        row["state"],
        row["reason"],
        value,
        bool(row.get("feasible")),
        row.get("seconds") or 0.0,
        row.get("repeat_of"),
    )
