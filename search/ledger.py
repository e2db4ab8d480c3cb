"""The books of a search: which trials were asked, what they reported and how each ended.

Every event goes to the Optuna study and to the run's folder, in an order that a kill at any moment
cannot make untrue: a trial's row is written before the study is told, and a validation row after
the losses that led to it. The ledger knows nothing of Ray.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import Trial, TrialState

from models.objective import METRICS
from search.config import SearchConfig
from search.run_folder import RunFolder, append_rows, cut_rows, read_rows, utc_now, write_json
from search.study import distributions, sampler_for, suggest
from search.trial_rows import ATTRIBUTES, OpenTrial, State, ended_row, started_row

_ASKED = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
_TELL = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class Ended:
    """How a trial ended, for the progress display."""

    trial_id: str
    state: State
    reason: str | None
    value: float | None
    feasible: bool
    seconds: float


class Ledger:
    """Asks for trials, takes their reports, tells their ends."""

    def __init__(self, run: RunFolder, study: optuna.Study, config: SearchConfig) -> None:
        self.run = run
        self.study = study
        self.config = config
        self.objective = config.make_objective()
        self.space = config.make_space()
        self._distributions: dict[str, BaseDistribution] = distributions(self.space)
        self._rows_path = run.path / "trials.jsonl"
        self._interrupted: deque[OpenTrial] = deque()
        self.open: dict[str, OpenTrial] = {}
        self.ended: dict[str, Ended] = {}
        self._reopen()

    @property
    def remaining(self) -> int:
        """How many trials are still to be started or taken up again."""
        return max(0, self.config.trials - len(self.ended) - len(self.open))

    @property
    def best(self) -> Ended | None:
        """The best trial so far: feasible before infeasible, then by the objective."""
        sign = 1.0 if self.objective.direction == "minimize" else -1.0
        candidates = [ended for ended in self.ended.values() if ended.value is not None]
        return min(
            candidates,
            key=lambda ended: (not ended.feasible, sign * (ended.value or 0.0)),
            default=None,
        )

    def ask(self) -> OpenTrial | None:
        """Start the next trial, or take up an interrupted one; None when enough were asked."""
        if self._interrupted:
            opened = self._interrupted.popleft()
        elif self.remaining:
            opened = self._start()
        else:
            return None
        self.open[opened.trial_id] = opened
        return opened

    def report(self, trial_id: str, report: dict[str, Any]) -> bool:
        """Record an epoch's report; return whether the trial should stop."""
        opened = self.open[trial_id]
        if reason := report.get("failed"):
            opened.stopped = ("failed", reason)
            return True
        # A trial that was taken up again may report an epoch twice.
        if report["epoch"] > opened.reported_epoch:
            self._record(opened, report)
        if opened.stopped is None and not report["done"] and opened.trial.should_prune():
            rung = f"stopped at epoch {report['epoch']}: behind the best at the same epoch"
            opened.stopped = ("pruned", rung)
        return report["done"] or opened.stopped is not None

    def finish(self, trial_id: str, *, error: str | None = None) -> Ended:
        """Write how a trial ended and tell the study, exactly once.

        Args:
            trial_id: the trial.
            error: what ended it from outside, such as the death of its process.
        """
        opened = self.open.pop(trial_id)
        state, reason = self._outcome(opened, error)
        append_rows(
            self._rows_path, [ended_row(opened, self.config, self.objective, state, reason)]
        )
        self._tell(opened, state, reason)
        metrics = (opened.report or {}).get("best_metrics", {})
        value = None if state == "failed" else metrics.get(self.objective.metric)
        ended = Ended(
            trial_id,
            state,
            reason,
            value,
            self.objective.feasible(metrics),
            (opened.report or {}).get("seconds", 0.0),
        )
        self.ended[trial_id] = ended
        return ended

    def stop_all(self, reason: str) -> None:
        """End the search early: open trials end as pruned when they are finished next."""
        for opened in self.open.values():
            if opened.stopped is None:
                opened.stopped = ("pruned" if opened.report else "failed", reason)

    def _start(self) -> OpenTrial:
        number = len(self.study.get_trials(deepcopy=False, states=_ASKED))
        self.study.sampler = sampler_for(self.config, number)
        trial = self.study.ask(fixed_distributions=self._distributions)
        opened = self._opened(trial, trial.params, started_at=utc_now())
        folder = self.run.trial_folder(opened.trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "parameters.json", opened.settings.to_dict())
        append_rows(self._rows_path, [started_row(opened, self.config)])
        return opened

    def _opened(self, trial: Trial, params: dict[str, Any], *, started_at: str) -> OpenTrial:
        # Trials of a search share a seed for weights and data order only by chance.
        seed = (self.config.seed * 7919 + trial.number) % 2**31
        settings = self.space.settings(params, seed=seed)
        return OpenTrial(trial, f"{trial.number:04d}", settings, started_at)

    def _record(self, opened: OpenTrial, report: dict[str, Any]) -> None:
        metrics = report["metrics"]
        value = metrics.get(self.objective.metric)
        if value is not None and math.isfinite(value):
            if report["epoch"] > opened.told_epoch:
                opened.trial.report(value, step=report["epoch"])
        else:
            opened.stopped = ("failed", f"{self.objective.metric} was {value} after an epoch")
        folder = self.run.trial_folder(opened.trial_id)
        append_rows(folder / "curves.jsonl", report["windows"])
        keys = ("step", "epoch", "images", "seconds", "feasible")
        append_rows(
            folder / "validation.jsonl", [{**{key: report[key] for key in keys}, **metrics}]
        )
        opened.windows += report["windows"]
        opened.reported_epoch = report["epoch"]
        opened.report = report

    def _outcome(self, opened: OpenTrial, error: str | None) -> tuple[State, str | None]:
        if opened.stopped:
            return opened.stopped
        if opened.report and opened.report["done"]:
            return "complete", None
        return "failed", error or "ended without a report"

    def _tell(self, opened: OpenTrial, state: State, reason: str | None) -> None:
        trial, metrics = opened.trial, (opened.report or {}).get("best_metrics", {})
        value = metrics.get(self.objective.metric) if state == "complete" else None
        if state != "failed":
            told = trial.constraints
            for guard in self.objective.guards:
                if str(guard) not in told:
                    trial.set_constraint(str(guard), guard.violation(metrics))
        row = ended_row(opened, self.config, self.objective, state, reason)
        for key in ATTRIBUTES:
            if row.get(key) is not None:
                trial.set_user_attr(key, row[key])
        self.study.tell(trial, value, state=_TELL[state])

    def _reopen(self) -> None:
        """Take over the books of an earlier session of this run."""
        written = read_rows(self._rows_path)
        cut_rows(self._rows_path, keep=len(written))
        rows = {row["trial_id"]: row for row in written}
        for frozen in self.study.get_trials(deepcopy=False, states=_ASKED):
            trial_id = f"{frozen.number:04d}"
            row = rows.get(trial_id)
            if row and row["state"] != "running":
                self.ended[trial_id] = self._ended_from(row)
            if not frozen.state.is_finished():
                opened = self._take_up(frozen, row)
                if trial_id in self.ended:
                    # Killed between the row and the study: the row is the truth.
                    self._tell(opened, row["state"], row["reason"])  # type: ignore[index]
                elif opened.report and opened.report["done"]:
                    self.open[trial_id] = opened
                    self.finish(trial_id)
                else:
                    self._interrupted.append(opened)

    def _take_up(self, frozen: optuna.trial.FrozenTrial, row: dict[str, Any] | None) -> OpenTrial:
        self.study.sampler = sampler_for(self.config, frozen.number)
        trial = Trial(self.study, frozen._trial_id)
        started_at = row["started_at"] if row else utc_now()
        # Killed while it was asked for: what was drawn so far stays, the rest is drawn now.
        for name, distribution in self._distributions.items():
            suggest(trial, name, distribution)
        opened = self._opened(trial, trial.params, started_at=started_at)
        opened.told_epoch = frozen.last_step or 0
        folder = self.run.trial_folder(opened.trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "parameters.json", opened.settings.to_dict())
        if row is None:
            append_rows(self._rows_path, [started_row(opened, self.config)])
        validations = read_rows(folder / "validation.jsonl")
        cut_rows(folder / "validation.jsonl", keep=len(validations))
        if validations:
            opened.reported_epoch = validations[-1]["epoch"]
        windows = [
            window
            for window in read_rows(folder / "curves.jsonl")
            if window["epoch"] <= opened.reported_epoch
        ]
        cut_rows(folder / "curves.jsonl", keep=len(windows))
        opened.windows = windows
        if validations:
            opened.report = self._report_from(validations)
        return opened

    def _report_from(self, validations: list[dict[str, Any]]) -> dict[str, Any]:
        last = validations[-1]
        best = min(validations, key=self.objective.sort_key)
        return {
            **{key: last[key] for key in ("epoch", "step", "images", "seconds")},
            "best_epoch": best["epoch"],
            "best_metrics": {name: best.get(name) for name in METRICS},
            "done": last["epoch"] >= self.config.max_epochs,
        }

    def _ended_from(self, row: dict[str, Any]) -> Ended:
        value = None if row["state"] == "failed" else row.get(self.objective.metric)
        return Ended(
            row["trial_id"],
            row["state"],
            row["reason"],
            value,
            bool(row.get("feasible")),
            row.get("seconds") or 0.0,
        )
