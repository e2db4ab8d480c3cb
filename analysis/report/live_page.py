"""The report of a run that still grows: rendered again when its files have changed.

A rendering takes a second or more of a core on which trials may be training. So a report is
rendered only when somebody asks for it, its files have changed and the last rendering was long
ago, measured by how long it took; the same for how the search stands.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from markupsafe import Markup

from analysis.leaderboard.ranking import REPORT_TARGET_RATIO, Weights
from analysis.report.live_state import LiveParts, LiveState
from analysis.report.render import render_report, render_state
from analysis.stored_run.run import open_run
from models.file_names import CURVES, ORIGINALS, SAMPLES, TEST, VALIDATION

#: at most such a share of one core goes into rendering while the search runs
SHARE = 0.1
#: and nothing is looked at more often than this, however quick that is
EVERY_SEC = 1.0

_OF_RUN = ("run.json", "config.json", "data.json", "trials.jsonl")
_OF_TRIAL = (CURVES, VALIDATION, SAMPLES, ORIGINALS, TEST)
#: stand-ins in a stored page, for what is put in when it is sent
_VERSION, _STATE = "@version@", Markup("<!--state-->")
_UNREADABLE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>chromatune</title></head>
<body style="font: 16px/1.55 system-ui, sans-serif; margin: 2rem"><p>The report cannot be drawn yet:
{problem}</p><p>This page tries again.</p></body></html>
"""

T = TypeVar("T")


class PageNow(NamedTuple):
    """How a live page is at this moment."""

    #: changes when the report does; empty while there is none
    version: str
    #: of its top
    state_html: str


class _Sparing(Generic[T]):
    """Calls a function seldom enough that it takes `SHARE` of the time at most."""

    def __init__(self, make: Callable[[], T], clock: Callable[[], float]) -> None:
        self._make, self._clock = make, clock
        self._ended, self._took = float("-inf"), 0.0
        #: whether there is a search to be spared
        self.sparing = True
        #: what it returned last; None before the first success
        self.value: T | None = None
        #: why that is older than the last call
        self.problem: str | None = None

    @property
    def due(self) -> bool:
        """Whether it may be called."""
        pause = self._took * (1 / SHARE - 1) if self.sparing else 0.0
        return self._clock() >= self._ended + max(EVERY_SEC, pause)

    def refresh(self) -> None:
        """Call it, if it is due."""
        if not self.due:
            return
        began = self._clock()
        try:
            self.value, self.problem = self._make(), None
        except Exception as error:
            # A run that is being written, moved or removed may fail in any of its readers: what
            # was made before stays, and the next call may succeed.
            self.problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
        self._ended = self._clock()
        self._took = self._ended - began


class LivePage:
    """The page of one run. It may be asked by several threads."""

    def __init__(
        self,
        run: Path,
        state: Callable[[], LiveState],
        *,
        target_ratio: float = REPORT_TARGET_RATIO,
        weights: Weights | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`state` says how the search in the folder `run` stands."""
        self._run = run
        self._options = (target_ratio, weights)
        self._lock = threading.Lock()
        self._state = _Sparing(state, clock)
        self._page = _Sparing(self._render, clock)
        self._rendered_from: bytes | None = None
        self._version = ""

    def now(self) -> PageNow:
        """Look at the run, unless that was done a moment ago."""
        with self._lock:
            return self._look()

    def html(self) -> str:
        """The whole page as it is now."""
        with self._lock:
            now = self._look()
            if self._page.value is None:
                return _UNREADABLE.format(problem=escape(self._page.problem or ""))
            page = self._page.value.replace(f'"{_VERSION}"', f'"{now.version}"', 1)
            return page.replace(_STATE, now.state_html, 1)

    def _look(self) -> PageNow:
        self._state.refresh()
        state = self._state.value
        self._page.sparing = state is None or state.running
        self._refresh_page()
        problem = self._page.problem or self._state.problem
        return PageNow(self._version, render_state(state, problem) if state else "")

    def _refresh_page(self) -> None:
        if not self._page.due:
            return
        files = _fingerprint(self._run)
        if files == self._rendered_from:
            return
        self._page.refresh()
        if self._page.problem is None:
            self._rendered_from = files
            # Of what it shows: files may change without a difference to see.
            self._version = hashlib.sha256((self._page.value or "").encode()).hexdigest()[:16]

    def _render(self) -> str:
        ratio, weights = self._options
        live = LiveParts(version=_VERSION, state=_STATE)
        return render_report(open_run(self._run), target_ratio=ratio, weights=weights, live=live)


def _fingerprint(run: Path) -> bytes:
    """Changes when a file that the report shows does."""
    digest = hashlib.sha256()
    for path in _shown_files(run):
        try:
            found = path.stat()
        except OSError:
            continue
        digest.update(f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ino}\n".encode())
    return digest.digest()


def _shown_files(run: Path) -> Iterator[Path]:
    yield from (run / name for name in _OF_RUN)
    trials = run / "trials"
    folders = sorted(trials.iterdir()) if trials.is_dir() else []
    for folder in folders:
        yield from (folder / name for name in _OF_TRIAL)
