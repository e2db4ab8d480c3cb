"""What the top of a live page says of a search; whoever knows its processes fills it in.

The report itself reads only what a run has stored, and that does not tell whether a process is
still at work on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup


class Slot(NamedTuple):
    """A trial that runs, in words."""

    #: of the trial
    trial_id: str
    #: epoch, step and losses
    stage: str
    #: how long to its end; empty while nobody can tell
    left: str
    #: share of its epochs that are trained, 0 to 1
    done: float


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """How a search stands at this moment."""

    #: one sentence: whether it runs or how it has ended, and how many trials have
    headline: str
    running: bool
    #: the trials that run
    slots: tuple[Slot, ...] = ()
    #: what else there is to say: time left of the budget, how to go on
    notes: tuple[str, ...] = ()


class LiveParts(NamedTuple):
    """What the report's page needs to be a live one."""

    #: of the report; the page compares it with the newest one
    version: str
    #: its top, `render_state`
    state: Markup
