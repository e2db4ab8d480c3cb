"""The books of a search: which trials were asked, what they reported and how each ended.

Every event goes to the Optuna study and to the run's folder, in an order that a kill at any moment
cannot make untrue: a trial's row is written before the study is told, and a validation row after
the losses that led to it. The ledger knows nothing of Ray.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import optuna
from optuna.artifacts import get_all_artifact_meta, upload_artifact
from optuna.distributions import BaseDistribution
from optuna.trial import Trial, TrialState

from data_pipeline.errors import InputError
from models.training.trial import drop_optimizers
from search.config import SearchConfig
from search.run.directory import RunFolder, append_rows, utc_now, write_json
from search.run.ended_trials import EndedTrial, EndedTrials
from search.run.health import diagnose
from search.run.recovery import recover
from search.run.retry_queue import RetryQueue
from search.run.trial_files import append_report
from search.run.trial_rows import ATTRIBUTES, OpenTrial, State, ended_row, started_row
from search.study.artifacts import LinkingArtifactStore
from search.study.creation import (
    distributions,
    enqueue_point,
    enqueue_repeat,
    next_number,
    suggest,
    trial_id_of,
)
from search.study.halving import HalvingPruner
from search.study.journal import written_together
from search.study.sampler import sampler_for

_TELL = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class Ledger:
    """Asks for trials, takes their reports, tells their ends."""

    def __init__(self, run: RunFolder, study: optuna.Study, config: SearchConfig) -> None:
        self.run = run
        self.study = study
        self.config = config
        self.objective = config.make_objective()
        #: metrics whose values the study is told, in its order
        self.objectives = (config.objective, *config.second_objectives)
        self.space = config.make_space()
        self.distributions: dict[str, BaseDistribution] = distributions(self.space)
        self.rows_path = run.path / "trials.jsonl"
        self.open: dict[str, OpenTrial] = {}
        self.ended = EndedTrials(minimize=self.objective.direction == "minimize")
        #: why no more configurations are searched, although fewer than asked have ended
        self.search_ended: str | None = None
        #: why trials of the search are stopped after their epoch
        self.out_of_time: str | None = None
        if isinstance(study.pruner, HalvingPruner):
            study.pruner.is_feasible = self._satisfies_guards
        self.waiting = RetryQueue(recover(self))
        self._note_convergence()

    @property
    def remaining(self) -> int:
        """How many trainings are still to be started or taken up again, repeats included."""
        return self._search_remaining + self._repeats_remaining

    @property
    def total(self) -> int:
        """How many trainings there are in all, repeats included."""
        return self.config.trials + self.config.finalists * self.config.repeats

    @property
    def _search_remaining(self) -> int:
        if self.search_ended:
            return sum(opened.repeat_of is None for opened in self.waiting)
        searching = sum(opened.repeat_of is None for opened in self.open.values())
        return max(0, self.config.trials - self.ended.searched - searching)

    @property
    def _repeats_remaining(self) -> int:
        planned = self.config.finalists * self.config.repeats
        repeating = sum(opened.repeat_of is not None for opened in self.open.values())
        return max(0, planned - self.ended.repeated - repeating)

    @property
    def best(self) -> EndedTrial | None:
        """The best trial so far: feasible before infeasible, then by the objective."""
        return self.ended.best

    @property
    def waits(self) -> bool:
        """Whether trials may still be asked, although there is none just now.

        A process may die, and its trial be taken up again; repeats wait for the search to end.
        """
        return bool(self.open or self.waiting)

    def ask(self) -> OpenTrial | None:
        """Start the next trial, or take up an interrupted one; None when there is none (yet)."""
        opened = self.waiting.take() or self._start_next()
        if opened is not None:
            self.open[opened.trial_id] = opened
        return opened

    def _start_next(self) -> OpenTrial | None:
        waiting = [each.repeat_of is None for each in self.waiting]
        if self._search_remaining > sum(waiting):
            enqueue_point(self.study)
            return self._start()
        searching = any(waiting) or any(each.repeat_of is None for each in self.open.values())
        if searching or self._repeats_remaining <= len(waiting):
            return None
        finalists = self.ended.finalists(self.config.finalists)
        if not enqueue_repeat(self.study, finalists, repeats=self.config.repeats):
            return None
        return self._start()

    def report(self, trial_id: str, report: dict[str, Any]) -> bool:
        """Record an epoch's report; return whether the trial should stop."""
        opened = self.open[trial_id]
        if reason := report.get("failed"):
            opened.stopped = ("failed", reason)
            return True
        # A trial that was taken up again may report an epoch twice.
        if report["epoch"] > opened.reported_epoch:
            self._record(opened, report)
        if opened.stopped is None and not report["done"] and opened.repeat_of is None:
            opened.stopped = self._early_stop(opened, report["epoch"])
        return report["done"] or opened.stopped is not None

    def lose(self, trial_id: str) -> EndedTrial | None:
        """The process of a trial has died: let the trial wait, or end it if that is too often."""
        opened = self.open[trial_id]
        opened.deaths += 1
        if opened.stopped is None:
            if opened.deaths <= self.config.max_retries:
                self.waiting.put(self.open.pop(trial_id))
                return None
            times = f"{opened.deaths} times in a row" if opened.deaths > 1 else "once"
            opened.stopped = "failed", f"the trial's process died {times}, without an epoch between"
        return self.finish(trial_id)

    def finish(self, trial_id: str) -> EndedTrial:
        """Write how a trial ended and tell the study, exactly once."""
        opened = self.open.pop(trial_id)
        state, reason = self._outcome(opened)
        append_rows(self.rows_path, [ended_row(opened, self.config, self.objective, state, reason)])
        self.tell(opened, state, reason)
        metrics = (opened.report or {}).get("best_metrics", {})
        value = None if state == "failed" else metrics.get(self.objective.metric)
        ended = EndedTrial(
            trial_id,
            state,
            reason,
            value,
            self.objective.feasible(metrics),
            (opened.report or {}).get("seconds", 0.0),
            opened.repeat_of,
        )
        if slim := self.ended.add(ended):
            with contextlib.suppress(InputError):  # nothing to slim in a damaged file
                drop_optimizers(self.run.trial_folder(slim.trial_id))
        self._note_convergence()
        return ended

    def _note_convergence(self) -> None:
        """End the search phase when the best trial is older than the asked patience."""
        patience, since = self.config.patience_trials, self.ended.since_best
        if patience is not None and self.ended.searched and since >= patience:
            self.search_ended = f"converged: {since} trials in a row brought no better one"

    def _satisfies_guards(self, number: int) -> bool:
        opened = self.open.get(trial_id_of(number))
        return bool(opened and opened.report and opened.report["feasible"])

    def _early_stop(self, opened: OpenTrial, epoch: int) -> tuple[State, str] | None:
        if not self.config.second_objectives and opened.trial.should_prune():
            return "pruned", f"stopped at epoch {epoch}: behind the best at the same epoch"
        if reason := diagnose(opened.windows, opened.validations, self.config.health):
            return "pruned", f"stopped at epoch {epoch}: {reason}"
        if self.out_of_time:
            return "pruned", f"stopped at epoch {epoch}: {self.out_of_time}"
        return None

    def end_search(self, reason: str) -> bool:
        """The time for the search is over; return whether all is, because no repeats follow.

        Else its open trials end as pruned after their epoch, and the finalists train.
        """
        if self.config.finalists:
            self.search_ended = self.out_of_time = reason
            return False
        self.stop_all(reason)
        return True

    def stop_all(self, reason: str) -> None:
        """End the search early: open trials end as pruned, in `finish_all` or before."""
        self.search_ended = reason
        self.open |= {opened.trial_id: opened for opened in self.waiting.clear()}
        for opened in self.open.values():
            if opened.stopped is None:
                opened.stopped = "pruned", reason

    def finish_all(self) -> list[EndedTrial]:
        """Write how the trials ended that are still open."""
        return [self.finish(trial_id) for trial_id in list(self.open)]

    def _start(self) -> OpenTrial:
        number = next_number(self.study)
        self.study.sampler = sampler_for(self.config, number, self.distributions)
        trial = self.study.ask()
        with written_together(trial.storage):
            for name, distribution in self.distributions.items():
                suggest(trial, name, distribution)
        opened = self.opened(trial, trial.params, started_at=utc_now())
        folder = self.run.trial_folder(opened.trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "parameters.json", opened.settings.to_dict())
        append_rows(self.rows_path, [started_row(opened, self.config)])
        return opened

    def opened(self, trial: Trial, params: dict[str, Any], *, started_at: str) -> OpenTrial:
        """An open trial with the settings that its parameters ask for."""
        # Trials of a search share a seed for weights and data order only by chance.
        seed = (self.config.seed * 7919 + trial.number) % 2**31
        settings = self.space.settings(params, seed=seed)
        return OpenTrial(
            trial=trial,
            trial_id=trial_id_of(trial.number),
            settings=settings,
            started_at=started_at,
            repeat_of=trial.user_attrs.get("repeat_of"),
        )

    def _record(self, opened: OpenTrial, report: dict[str, Any]) -> None:
        metrics = report["metrics"]
        for metric in self.objectives:
            value = metrics.get(metric)
            if value is None or not math.isfinite(value):
                opened.stopped = ("failed", f"{metric} was {value} after an epoch")
        # Optuna knows no intermediate values of trials with several objectives.
        single = not self.config.second_objectives
        if single and opened.stopped is None and report["epoch"] > opened.told_epoch:
            opened.trial.report(metrics[self.objective.metric], step=report["epoch"])
        append_report(self.run.trial_folder(opened.trial_id), report)
        opened.windows += report["windows"]
        opened.validations.append(metrics)
        opened.reported_epoch = report["epoch"]
        opened.report = report
        opened.deaths = 0

    def _outcome(self, opened: OpenTrial) -> tuple[State, str | None]:
        if opened.stopped:
            return opened.stopped
        if opened.report and opened.report["done"]:
            return "complete", None
        return "failed", "ended without a report"

    def tell(self, opened: OpenTrial, state: State, reason: str | None) -> None:
        """Tell the study how a trial ended, with what is known of it as user attributes."""
        trial, metrics = opened.trial, (opened.report or {}).get("best_metrics", {})
        values = [metrics[metric] for metric in self.objectives] if state == "complete" else None
        row = ended_row(opened, self.config, self.objective, state, reason)
        with written_together(trial.storage):
            if state != "failed":
                told = trial.constraints
                for guard in self.objective.guards:
                    if str(guard) not in told:
                        trial.set_constraint(str(guard), guard.violation(metrics))
            for key in ATTRIBUTES:
                if row.get(key) is not None:
                    trial.set_user_attr(key, row[key])
            self._attach_samples(opened)
        self.study.tell(trial, values, state=_TELL[state])

    def _attach_samples(self, opened: OpenTrial) -> None:
        samples = self.run.trial_folder(opened.trial_id) / "samples.png"
        # A trial that was killed while its end was told has its grid already.
        if samples.exists() and not get_all_artifact_meta(opened.trial):
            upload_artifact(
                artifact_store=LinkingArtifactStore(self.run.artifacts_path),
                file_path=str(samples),
                study_or_trial=opened.trial,
            )
