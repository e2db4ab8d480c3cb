"""The ledger of a search: which trials were asked for, what they reported and how each ended.

Every event goes to the Optuna study and to the run's folder, in an order that a kill at any moment
cannot make untrue: a trial's row is written before the study is told, and a validation row after
the losses that led to it. The ledger knows nothing of Ray.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import Trial, TrialState

from data_pipeline.durable import make_folder
from data_pipeline.errors import InputError
from models.file_names import PARAMETERS, PROGRESS, SAMPLES
from models.training.checkpoint import drop_optimizers
from models.training.report import EpochReport
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.run.directory import RunFolder, append_rows, utc_now, write_json
from search.run.ended_trials import EndedTrial, EndedTrials
from search.run.recovery import recover
from search.run.retry_queue import RetryQueue
from search.run.trial_files import append_report
from search.run.trial_rows import (
    ATTRIBUTES,
    OpenTrial,
    Row,
    State,
    TrialOutcome,
    divergence,
    ended_row,
    started_row,
    training_settings,
)
from search.steering.wishes import AS_ASKED, Wishes
from search.study.asking import ask_trial, enqueue_point, enqueue_repeat, trial_id_of
from search.study.creation import distributions, halving_for
from search.study.telling import tell_end

_OPTUNA_STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}

#: trials that were asked for and wait for a beginning which another one trains. The sampler drew
#: them without what the trials before them teach: no more than that are worth a free slot.
MAX_HELD = 4


class Ledger:
    """Asks the study for trials, records their reports and tells the study their ends."""

    def __init__(self, run: RunFolder, study: optuna.Study, config: SearchConfig) -> None:
        """Open the ledger of a new search, or of one that goes on."""
        self.run = run
        self.study = study
        self.config = config
        self.objective = config.make_objective()
        #: metrics whose values the study is told, in its order
        self.objectives = (config.objective, *config.second_objectives)
        self.distributions: dict[str, BaseDistribution] = distributions(config.space)
        self.rows_path = run.path / "trials.jsonl"
        #: why no more configurations are searched, although fewer than asked have ended
        self.search_ended: str | None = None
        #: why trials of the search are stopped after their epoch
        self.out_of_time: str | None = None
        #: epochs of beginnings that trials have reported in this session, by their stages
        self._trained: dict[str | None, int] = {}
        self._halving = halving_for(config, study)
        recovered = recover(run, study, config)
        self.ended = EndedTrials(minimize=self.objective.direction == "minimize")
        for ended in recovered.ended:
            self.ended.add(ended)
        self.open: dict[str, OpenTrial] = {trial.trial_id: trial for trial in recovered.trained}
        self.retry_queue = RetryQueue(recovered.interrupted)
        self.wishes = Wishes(run.path, study)
        for trial, row in recovered.untold:
            self._tell(trial, row)
        self.finish_all()
        self._note_convergence()
        self._make_room()

    @property
    def remaining(self) -> int:
        """How many trainings are still to be started or continued, repeats included."""
        return self._search_remaining + self._repeats_remaining

    @property
    def total(self) -> int:
        """How many trainings there are in all, repeats included."""
        return self.config.trials + self.config.finalists * self.config.repeats

    @property
    def _search_remaining(self) -> int:
        if self.search_ended:
            retried = sum(trial.repeat_of is None for trial in self.retry_queue)
            return retried + len(self.wishes.points)
        searching = sum(trial.repeat_of is None for trial in self.open.values())
        return max(0, self.config.trials - self.ended.searched - searching)

    @property
    def _repeats_remaining(self) -> int:
        planned = self.config.finalists * self.config.repeats
        repeating = sum(trial.repeat_of is not None for trial in self.open.values())
        return max(0, planned - self.ended.repeated - repeating)

    @property
    def best(self) -> EndedTrial | None:
        """The trial with the best colours so far, as leaderboard and report choose it."""
        return self.ended.best

    @property
    def has_unfinished(self) -> bool:
        """Whether `ask` may return a trial later, although it returns none just now.

        A process may die and its trial be started again; repeats wait for the search to end.
        """
        return bool(self.open or self.retry_queue)

    def ask(self) -> OpenTrial | None:
        """Start the next trial, or continue an interrupted one; None when there is none (yet)."""
        trial = self.retry_queue.take(self._may_run) or self._start_next()
        if trial is not None:
            self.open[trial.trial_id] = trial
        return trial

    def _may_run(self, trial: OpenTrial) -> bool:
        """Whether no trial that runs is training a beginning that this one needs."""
        trained = self._trained.get(trial.stage, 0)
        return not any(other.trains_for(trial, trained=trained) for other in self.open.values())

    def _start_next(self) -> OpenTrial | None:
        waiting = [trial.repeat_of is None for trial in self.retry_queue]
        while self._search_remaining > sum(waiting):
            if self.retry_queue.n_held >= MAX_HELD:
                return None
            if not self.wishes.enqueue_next():
                enqueue_point(self.study, others=self.wishes.n_asked)
            trial = self._start()
            if self._may_run(trial):
                return trial
            # Its beginning is in training: meanwhile the next one, which may need another.
            self.retry_queue.hold(trial)
            waiting.append(True)
        searching = any(waiting) or any(trial.repeat_of is None for trial in self.open.values())
        if searching or self._repeats_remaining <= len(waiting):
            return None
        finalists = self.ended.finalists(self.config.finalists)
        if not enqueue_repeat(self.study, finalists, repeats=self.config.repeats):
            return None
        return self._start()

    def _start(self) -> OpenTrial:
        trial = ask_trial(self.study, self.config, self.distributions)
        self.wishes.started(trial)
        opened = OpenTrial(
            trial=trial,
            trial_id=trial_id_of(trial.number),
            settings=self.settings_of(trial),
            started_at=utc_now(),
            repeat_of=trial.user_attrs.get("repeat_of"),
        )
        folder = self.run.trial_folder(opened.trial_id)
        make_folder(folder)
        write_json(folder / PARAMETERS, opened.settings.to_dict())
        append_rows(self.rows_path, [started_row(opened, self.config)])
        return opened

    def settings_of(self, trial: Trial) -> TrainingSettings:
        """The training that a trial's parameters ask for."""
        return training_settings(trial, self.config)

    def report(self, trial_id: str, report: EpochReport, *, device: str | None = None) -> bool:
        """Record an epoch; return whether the trial should stop."""
        trial = self.open[trial_id]
        # A trial that was continued may report an epoch twice.
        if report.epoch > trial.reported_epoch:
            self._record(trial, report)
            trial.device = device
        if trial.stopped is None and not report.done:
            trial.stopped = self._early_stop(trial, report)
        return report.done or trial.stopped is not None

    def fail(self, trial_id: str, reason: str) -> None:
        """Note that a trial cannot go on; it ends as failed when it is finished next."""
        self.open[trial_id].stopped = TrialOutcome("failed", reason)

    def retry_or_fail(self, trial_id: str) -> EndedTrial | None:
        """The process of a trial has died: start it again later, or end it if that is too often."""
        trial = self.open[trial_id]
        trial.deaths += 1
        if trial.stopped is None:
            if trial.deaths <= self.config.max_retries:
                self.retry_queue.put(self.open.pop(trial_id))
                return None
            times = f"{trial.deaths} times in a row" if trial.deaths > 1 else "once"
            self.fail(trial_id, f"the trial's process died {times}, without an epoch between")
        return self.finish(trial_id)

    def finish(self, trial_id: str) -> EndedTrial:
        """Write how a trial ended and tell the study, exactly once."""
        trial = self.open.pop(trial_id)
        (self.run.trial_folder(trial_id) / PROGRESS).unlink(missing_ok=True)
        row = ended_row(trial, self.config, trial.outcome)
        append_rows(self.rows_path, [row])
        self._tell(trial.trial, row)
        ended = EndedTrial.from_row(row, self.objective)
        if without_optimizers := self.ended.add(ended):
            with contextlib.suppress(InputError):  # nothing to drop in a damaged file
                drop_optimizers(self.run.trial_folder(without_optimizers.trial_id))
        self.wishes.ended(trial_id)
        self._note_convergence()
        return ended

    def finish_all(self) -> list[EndedTrial]:
        """Write how the trials ended that are still open."""
        return [self.finish(trial_id) for trial_id in list(self.open)]

    def end_search(self, reason: str) -> bool:
        """The time for the search is over; return whether all is, because no repeats follow.

        Else its open trials end as pruned after their epoch, and the finalists train.
        """
        self.wishes.keep_for_later()
        if self.config.finalists:
            self.search_ended = self.out_of_time = reason
            return False
        self.stop_all(reason)
        return True

    def stop_all(self, reason: str) -> None:
        """End the search early: open trials end as pruned, in `finish_all` or before."""
        self.search_ended = reason
        self.wishes.keep_for_later()
        self.open |= {trial.trial_id: trial for trial in self.retry_queue.clear()}
        for trial in self.open.values():
            if trial.stopped is None:
                trial.stopped = TrialOutcome("pruned", reason)

    def obey(self) -> bool:
        """Do what people have asked for since the last time; return whether all is over.

        The first wish to stop ends the search, and a second one the finalists after it.
        """
        if self.wishes.look():
            if not self.out_of_time:
                return self.end_search(AS_ASKED)
            self.stop_all(AS_ASKED)
            return True
        if not self.out_of_time:
            self._make_room()
        return False

    def _make_room(self) -> None:
        """A configuration that is asked for when no trial is left is one trial more."""
        waiting = sum(trial.repeat_of is None for trial in self.retry_queue)
        missing = len(self.wishes.points) - (self._search_remaining - waiting)
        if missing > 0:
            self.config = replace(self.config, trials=self.config.trials + missing)
            self.run.configure(self.config.to_dict(), None)

    def _note_convergence(self) -> None:
        """End the search phase when the best trial is older than the asked patience."""
        patience, since = self.config.patience_trials, self.ended.since_best
        if patience is not None and self.ended.searched and since >= patience:
            self.search_ended = f"converged: {since} trials in a row brought no better one"

    def _record(self, trial: OpenTrial, report: EpochReport) -> None:
        trial.stopped = trial.stopped or divergence(report.metrics, self.objectives)
        # Optuna knows no intermediate values of trials with several objectives.
        single = not self.config.second_objectives
        if single and trial.stopped is None and report.epoch > trial.study_epoch:
            value = self.objective.penalized(report.metrics)
            assert value is not None, "not finite: such a trial has diverged"
            trial.trial.report(value, step=report.epoch)
        append_report(self.run.trial_folder(trial.trial_id), report.to_dict())
        trial.windows += report.windows
        trial.reported_epoch = report.epoch
        if trial.stage is not None and report.epoch <= trial.settings.pretrain_epochs:
            self._trained[trial.stage] = max(self._trained.get(trial.stage, 0), report.epoch)
        trial.report = report
        trial.deaths = 0

    def _early_stop(self, trial: OpenTrial, report: EpochReport) -> TrialOutcome | None:
        value = self.objective.penalized(report.metrics)
        halving = self._halving
        if self.wishes.shall_stop(trial.trial_id):
            reason = AS_ASKED
        elif trial.repeat_of is not None:
            return None
        elif (
            halving
            and value is not None
            and halving.should_stop(
                trial.trial,
                # How good a beginning is says little about what branches from it (docs/search.md).
                epoch=report.epoch - trial.settings.pretrain_epochs,
                value=value,
            )
        ):
            reason = "behind the best at the same epoch"
        elif self.out_of_time:
            reason = self.out_of_time
        else:
            return None
        return TrialOutcome("pruned", f"stopped at epoch {report.epoch}: {reason}")

    def _tell(self, trial: Trial, row: Row) -> None:
        state: State = row["state"]
        tell_end(
            self.study,
            trial,
            _OPTUNA_STATES[state],
            self._values(row) if state == "complete" else None,
            attributes={key: row.get(key) for key in ATTRIBUTES},
            samples=self.run.trial_folder(row["trial_id"]) / SAMPLES,
            artifacts=self.run.artifacts_path,
        )

    def _values(self, row: Row) -> list[float]:
        """What the study is told of a complete trial."""
        penalized = self.objective.penalized(row)
        assert penalized is not None, "a complete trial has a finite objective"
        return [penalized, *(row[metric] for metric in self.config.second_objectives)]
