"""The two thin adapters through which Ray Tune talks to the ledger.

Tune's `Searcher` never hears a trial's last report and cannot tell an early stop from an end, so
every report goes through a `Stopper`, which hears all of them and may stop the trial at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune import Stopper
from ray.tune.search import Searcher

from search import interrupts
from search.ledger import Ended, Ledger
from search.trial_rows import OpenTrial


class Desk:
    """Knows which Tune trial is which of ours, and passes events on to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        on_start: Callable[[OpenTrial], None],
        on_report: Callable[[str, dict[str, Any]], None],
        on_end: Callable[[Ended], None],
    ) -> None:
        self.ledger = ledger
        self.trial_ids: dict[str, str] = {}
        self.on_start = on_start
        self.on_report = on_report
        self.on_end = on_end

    def __deepcopy__(self, memo: dict[int, Any]) -> Desk:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Tune pickles its set-up for a restore that this project does not use.
        return (_nothing, ())


class LedgerSearcher(Searcher):
    """Hands out trials of the ledger and tells it their ends."""

    def __init__(self, desk: Desk, job: dict[str, Any]) -> None:
        super().__init__(metric=None, mode=None)
        self._desk = desk
        self._job = job

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """Return Tune's configuration of the next trial, or that there is none left."""
        ledger = self._desk.ledger
        opened = ledger.ask()
        if opened is None:
            finished: str = Searcher.FINISHED
            return None if ledger.waits_for_finalists else finished
        self._desk.trial_ids[trial_id] = opened.trial_id
        self._desk.on_start(opened)
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
        """Write the end of a trial."""
        reason = "the trial's process died more often than it may be retried" if error else None
        ended = self._desk.ledger.finish(self._desk.trial_ids.pop(trial_id), error=reason)
        self._desk.on_end(ended)

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger is in the run's folder."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: a search resumes from its ledger."""


class LedgerStopper(Stopper):
    """Passes every report to the ledger and stops what the ledger wants stopped."""

    def __init__(self, desk: Desk, should_end: Callable[[], str | None]) -> None:
        self._desk = desk
        self._should_end = should_end

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Record a report; return whether the trial stops."""
        interrupts.check()
        ours = self._desk.trial_ids.get(trial_id)
        if ours is None or "report" not in result:
            return False
        stop = self._desk.ledger.report(ours, result["report"])
        self._desk.on_report(ours, result["report"])
        return stop

    def stop_all(self) -> bool:
        """Whether the search is over before its number of trials."""
        interrupts.check()
        reason = self._should_end()
        if reason:
            self._desk.ledger.stop_all(reason)
        return reason is not None


def _nothing() -> None:
    return None
