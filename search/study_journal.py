"""Optuna's journal of a run, in which several entries may be written as one.

Each entry of a journal is synced to the disk, and a trial has some thirty, most of them attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend


class _HoldingJournal(JournalFileBackend):
    """A journal's file that may hold entries back, to write them in one piece."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._held: list[dict[str, Any]] | None = None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries, or hold them back."""
        if self._held is None:
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
        super().__init__(self._journal)

    def together(self) -> AbstractContextManager[None]:
        """A context whose entries are written at its end, as one.

        Until then no other process sees them. A kill leaves none of them, or, in the midst of the
        writing, the first ones.
        """
        return self._journal.holding()


def written_together(storage: BaseStorage) -> AbstractContextManager[None]:
    """A context whose entries in the study are written as one, where it is in a file."""
    return storage.together() if isinstance(storage, RunJournal) else nullcontext()
