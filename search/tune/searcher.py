"""The adapters through which Ray Tune runs the trials of a ledger.

Tune's `Searcher` never hears a trial's last report and cannot tell an early stop from an end, so
every report goes through a `Stopper`, which hears all of them and may stop the trial at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from ray.tune import Stopper
from ray.tune.search import Searcher

from search import interrupts
from search.run.ended_trials import EndedTrial
from search.run.ledger import Ledger
from search.run.storage_errors import describe
from search.run.trial_rows import OpenTrial
from search.tune.messages import (
    EpochDone,
    SearchHalted,
    TrialFailed,
    TrialJob,
    TrialStart,
    from_result,
)

_T = TypeVar("_T")


class TuneBridge:
    """Maps Tune's trials to the ledger's, and passes what happens to them on to the ledger.

    When the run's folder or the study cannot be written any more, the search halts: from then on
    nothing is asked, recorded or told, so that what is on disk stays as true as after a kill.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        on_start: Callable[[OpenTrial], None],
        on_epoch: Callable[[str, EpochDone], None],
        on_end: Callable[[EndedTrial], None],
    ) -> None:
        self.ledger = ledger
        #: the trial's id in the ledger, by its id in Tune
        self.trial_ids: dict[str, str] = {}
        self.on_start = on_start
        self.on_epoch = on_epoch
        self.on_end = on_end
        #: why the search cannot go on, once it cannot
        self.halted: str | None = None

    def start_trial(self, tune_id: str) -> OpenTrial | None:
        """Take a trial from the ledger, if there is one and the search goes on."""

        def action() -> OpenTrial | None:
            trial = self.ledger.ask()
            if trial is not None:
                self.trial_ids[tune_id] = trial.trial_id
                self._tell(self.on_start, trial)
            return trial

        return self._unless_halted(action, otherwise=None)

    def on_result(self, tune_id: str, result: Mapping[str, Any]) -> bool:
        """Record a result of a trial; return whether the trial stops."""
        trial_id, message = self.trial_ids.get(tune_id), from_result(result)
        if trial_id is None or message is None:
            return False
        if isinstance(message, SearchHalted):
            self.halted = self.halted or message.reason
            return True

        def action() -> bool:
            if isinstance(message, TrialFailed):
                self.ledger.fail(trial_id, message.reason)
                return True
            stop = self.ledger.report(trial_id, message.report, device=message.device)
            self._tell(self.on_epoch, trial_id, message)
            return stop

        return self._unless_halted(action, otherwise=True)

    def end_trial(self, tune_id: str, *, died: bool) -> None:
        """Write the end of a trial; after a halt it stays as it is, to be continued."""

        def action() -> None:
            end = self.ledger.retry_or_fail if died else self.ledger.finish
            if ended := end(self.trial_ids.pop(tune_id)):
                self._tell(self.on_end, ended)

        self._unless_halted(action, otherwise=None)

    def end_open_trials(self) -> None:
        """Write the end of the trials that Tune stopped when its `Stopper` ended the search.

        Of these trials Tune tells its searcher nothing.
        """

        def action() -> None:
            for ended in self.ledger.finish_all():
                self._tell(self.on_end, ended)

        self._unless_halted(action, otherwise=None)

    def obey(self) -> bool:
        """Do what people have asked for; return whether all is over."""
        return self._unless_halted(self.ledger.obey, otherwise=True)

    def _tell(self, callback: Callable[..., None], *what: object) -> None:
        """Call back; what that raises is no failure of a trial, which Tune would make of it."""
        try:
            callback(*what)
        except Exception as error:
            self.halted = self.halted or f"a callback raised {type(error).__name__}: {error}"

    def _unless_halted(self, action: Callable[[], _T], *, otherwise: _T) -> _T:
        if self.halted is None:
            try:
                return action()
            except (OSError, StorageInternalError) as error:
                self.halted = describe(error)
        return otherwise

    def __deepcopy__(self, memo: dict[int, Any]) -> TuneBridge:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its set-up for a restore that this project does not use.
        return (_nothing, ())


class LedgerSearcher(Searcher):
    """Hands out trials of the ledger and tells it their ends."""

    def __init__(self, bridge: TuneBridge, job: TrialJob) -> None:
        super().__init__(metric=None, mode=None)
        self._bridge = bridge
        self._job = job

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return Tune's configuration of the next trial, or that there is none left."""
        bridge = self._bridge
        trial = bridge.start_trial(trial_id)
        if trial is None:
            finished: str = Searcher.FINISHED
            return None if bridge.halted is None and bridge.ledger.has_unfinished else finished
        return TrialStart(
            job=self._job,
            trial_id=trial.trial_id,
            settings=trial.settings,
            reported_epoch=trial.reported_epoch,
        ).to_config()

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Write the end of a trial, or start it again later if its process has died."""
        self._bridge.end_trial(trial_id, died=error)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is in the run's folder."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a search resumes from its ledger."""


class LedgerStopper(Stopper):
    """Passes every report to the ledger and stops what the ledger wants stopped."""

    def __init__(
        self, bridge: TuneBridge, should_end: Callable[[], str | None], *, graceful: bool = False
    ) -> None:
        self._bridge = bridge
        self._should_end = should_end
        self._graceful = graceful

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Record a result; return whether the trial stops."""
        self._check_interrupt()
        return self._bridge.on_result(trial_id, result)

    def stop_all(self) -> bool:
        """Whether all is over before the asked number of trials."""
        self._check_interrupt()
        if self._bridge.halted:
            return True
        if self._bridge.obey():
            return True
        reason = self._should_end()
        return reason is not None and self._bridge.ledger.end_search(reason)

    def _check_interrupt(self) -> None:
        if self._graceful and interrupts.requested():
            self._bridge.halted = self._bridge.halted or "interrupted"
        else:
            interrupts.check()


def _nothing() -> None:
    return None
