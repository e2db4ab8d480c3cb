"""Optuna's journal of a run, made for one long search by one process.

Several entries may be written as one: each is synced to the disk, and a trial has some thirty, most
of them attributes. The file is read when this process has written to it, and trials that have ended
are not looked at again: else a trial would cost the more, the more went before it.
"""

from __future__ import annotations

from collections.abc import Container, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

#: what Optuna's journal stores for a change of the study
_Entry = dict[str, Any]
_ENDED = tuple(state for state in TrialState if state.is_finished())


class _HoldingJournal(JournalFileBackend):
    """A journal's file that may hold entries back, to write them in one piece.

    What other processes append is seen after this one's next entry.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._held: list[_Entry] | None = None
        self._appended = 0
        #: (how often this process had appended, which entry came next) when all was read
        self._all_read: tuple[int, int] | None = None

    def read_logs(self, log_number_from: int) -> Generator[_Entry, None, None]:
        """Yield the entries from a number on."""
        appended, number = self._appended, log_number_from
        if self._all_read == (appended, number):
            return
        for entry in super().read_logs(log_number_from):
            yield entry
            number += 1
        self._all_read = (appended, number)

    def append_logs(self, logs: list[_Entry]) -> None:
        """Append entries, or hold them back."""
        if self._held is None:
            self._appended += 1  # even if it fails: the first ones may be there
            super().append_logs(logs)
        else:
            self._held += logs

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Write what comes in this context at its end, unless that is an exception."""
        held = self._held = []
        try:
            yield
        finally:
            self._held = None
        if held:
            self.append_logs(held)


class RunJournal(JournalStorage):
    """The study of a run in a file of its folder."""

    def __init__(self, path: Path) -> None:
        self._journal = _HoldingJournal(path)
        #: the trials by their numbers, as last seen, and the numbers of those that may change
        self._seen: list[FrozenTrial] = []
        self._open: list[int] = []
        super().__init__(self._journal)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials of a study, in their order; ended ones are looked at once."""
        if deepcopy or not self._look(study_id):
            return super().get_all_trials(study_id, deepcopy, states)
        if states is None:
            return list(self._seen)
        if any(state in states for state in _ENDED):
            return [trial for trial in self._seen if trial.state in states]
        return [self._seen[n] for n in self._open if self._seen[n].state in states]

    def _look(self, study_id: int) -> bool:
        """Bring the list of trials up to date; return whether it is that of the study.

        A journal counts trials through all of its studies; a run's journal holds one.
        """
        self.get_study_name_from_id(study_id)  # raises KeyError if there is none
        if study_id != 0 or len(self.get_all_studies()) > 1:
            return False
        for number in self._open:
            self._seen[number] = self.get_trial(number)
        known = len(self._seen)
        with suppress(KeyError):  # there is no trial of that number
            while True:
                self._seen.append(self.get_trial(len(self._seen)))
        candidates = [*self._open, *range(known, len(self._seen))]
        self._open = [n for n in candidates if not self._seen[n].state.is_finished()]
        return True

    def together(self) -> AbstractContextManager[None]:
        """A context whose entries are written at its end, as one.

        Until then no other process sees them. A kill leaves none of them, or, in the midst of the
        writing, the first ones.
        """
        return self._journal.holding()


def written_together(storage: BaseStorage) -> AbstractContextManager[None]:
    """A context whose entries in the study are written as one, where it is in a file."""
    return storage.together() if isinstance(storage, RunJournal) else nullcontext()
