"""The two thin adapters through which Ray Tune talks to the ledger.

Tune's `Searcher` never hears a trial's last report and cannot tell an early stop from an end, so
every report goes through a `Stopper`, which hears all of them and may stop the trial at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError
from ray.tune import Stopper
from ray.tune.search import Searcher

from search.cli import interrupts
from search.run.ended_trials import EndedTrial
from search.run.ledger import Ledger
from search.run.storage_errors import describe
from search.run.trial_rows import OpenTrial

_T = TypeVar("_T")


class TuneBridge:
    """Knows which Tune trial is which of ours, and passes events on to the ledger.

    When the books cannot be written any more, the search halts: from then on nothing is asked,
    recorded or told, so that what is on disk stays as true as after a kill.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        on_start: Callable[[OpenTrial], None],
        on_report: Callable[[str, dict[str, Any]], None],
        on_end: Callable[[EndedTrial], None],
    ) -> None:
        self.ledger = ledger
        self.trial_ids: dict[str, str] = {}
        self.on_start = on_start
        self.on_report = on_report
        self.on_end = on_end
        #: why the search cannot go on, once it cannot
        self.halted: str | None = None

    def ask(self, tune_id: str) -> OpenTrial | None:
        """Take a trial from the ledger, if there is one and the search goes on."""

        def action() -> OpenTrial | None:
            opened = self.ledger.ask()
            if opened is not None:
                self.trial_ids[tune_id] = opened.trial_id
                self.on_start(opened)
            return opened

        return self._unless_halted(action, otherwise=None)

    def report(self, tune_id: str, report: dict[str, Any]) -> bool:
        """Record a report; return whether the trial stops."""
        if reason := report.get("halt"):
            self.halted = self.halted or reason

        def action() -> bool:
            stop = self.ledger.report(self.trial_ids[tune_id], report)
            self.on_report(self.trial_ids[tune_id], report)
            return stop

        return self._unless_halted(action, otherwise=True)

    def finish(self, tune_id: str, *, died: bool) -> None:
        """Write the end of a trial; one that a halt ended is left to be taken up again."""

        def action() -> None:
            end = self.ledger.lose if died else self.ledger.finish
            if ended := end(self.trial_ids.pop(tune_id)):
                self.on_end(ended)

        self._unless_halted(action, otherwise=None)

    def finish_all(self) -> None:
        """Write the end of the trials that Tune stopped when its `Stopper` ended the search.

        Of these trials Tune tells its searcher nothing.
        """

        def action() -> None:
            for ended in self.ledger.finish_all():
                self.on_end(ended)

        self._unless_halted(action, otherwise=None)

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

    def __init__(self, desk: TuneBridge, job: dict[str, Any]) -> None:
        super().__init__(metric=None, mode=None)
        self._desk = desk
        self._job = job

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return Tune's configuration of the next trial, or that there is none left."""
        desk = self._desk
        opened = desk.ask(trial_id)
        if opened is None:
            finished: str = Searcher.FINISHED
            return None if desk.halted is None and desk.ledger.waits else finished
        return {
            "job": self._job,
            "trial": {
                "trial_id": opened.trial_id,
                "settings": opened.settings.to_dict(),
                "reported_epoch": opened.reported_epoch,
            },
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Write the end of a trial, or let it wait if its process has died."""
        self._desk.finish(trial_id, died=error)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is in the run's folder."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a search resumes from its ledger."""


class LedgerStopper(Stopper):
    """Passes every report to the ledger and stops what the ledger wants stopped."""

    def __init__(self, desk: TuneBridge, should_end: Callable[[], str | None]) -> None:
        self._desk = desk
        self._should_end = should_end

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Record a report; return whether the trial stops."""
        interrupts.check()
        if trial_id not in self._desk.trial_ids or "report" not in result:
            return False
        return self._desk.report(trial_id, result["report"])

    def stop_all(self) -> bool:
        """Whether all is over before the asked number of trials."""
        interrupts.check()
        if self._desk.halted:
            return True
        reason = self._should_end()
        return reason is not None and self._desk.ledger.end_search(reason)


def _nothing() -> None:
    return None
