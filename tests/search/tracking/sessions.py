"""Sessions of a search without Ray, with trackers that follow it."""

from __future__ import annotations

from pathlib import Path

from search.config import SearchConfig
from search.run.ledger import Ledger
from search.tracking.delivery import Tracking
from tests.search.ledgers import EPOCHS, make_config, make_report, open_ledger, run_to_end

TRIALS = 3


def config() -> SearchConfig:
    return make_config(trials=TRIALS, space={"generator_complexity": {"low": 16, "high": 30}})


def interrupted_session(folder: Path, *trackers: str) -> tuple[Ledger, list[str]]:
    """One trial ends, and another one is interrupted after an epoch; returns what was said."""
    ledger = open_ledger(folder, config())
    said: list[str] = []
    try:
        with Tracking(trackers, ledger.run.path, said.append):
            for epochs in (EPOCHS, 1):
                opened = ledger.ask()
                assert opened is not None
                for epoch in range(1, epochs + 1):
                    ledger.report(opened.trial_id, make_report(epoch), device="cpu")
                if epochs == EPOCHS:
                    ledger.finish(opened.trial_id)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return ledger, said


def resumed_session(folder: Path, *trackers: str) -> tuple[Ledger, list[str]]:
    """What is left of the search; its trials have no generators, of which a bundle could be."""
    ledger = open_ledger(folder, config())
    said: list[str] = []
    with Tracking(trackers, ledger.run.path, said.append):
        run_to_end(ledger, value=3.0)
    return ledger, said


def follow(run: Path, *trackers: str) -> list[str]:
    """A session of a search that has ended already."""
    said: list[str] = []
    with Tracking(trackers, run, said.append):
        pass
    return said
