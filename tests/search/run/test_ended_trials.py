"""The ended_trials say at each end what a look at all ended trials would say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.stored_run.run import open_run
from search.run import ended_trials
from search.run.ended_trials import EndedTrial, EndedTrials
from search.run.trial_rows import TrialOutcome
from tests.search.ledgers import EPOCHS, make_config, make_report, open_ledger

KEPT = 3


@pytest.fixture(autouse=True)
def _fewer_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_trials, "KEPT_OPTIMIZERS", KEPT)


@st.composite
def _ends(draw: st.DrawFn) -> list[EndedTrial]:
    ends = []
    for number in range(draw(st.integers(0, 30))):
        state = draw(st.sampled_from(["complete", "complete", "pruned", "failed"]))
        # Few values, so that trials are as good as each other.
        value = None if state == "failed" else draw(st.sampled_from([1.0, 2.0, 3.0, 4.0]))
        repeat_of = draw(st.sampled_from([None, None, "0000"]))
        feasible = state != "failed" and draw(st.booleans())
        ends.append(
            EndedTrial(f"{number:04d}", state, None, value, feasible, 1.5 * number, repeat_of)
        )
    return ends


@given(ends=_ends(), minimize=st.booleans())
def test_as_if_all_were_looked_at(ends: list[EndedTrial], minimize: bool) -> None:
    def badness(ended: EndedTrial) -> float:
        return math.inf if ended.value is None else ended.value * (1 if minimize else -1)

    ours = EndedTrials(minimize=minimize)
    keeping: set[str] = set()
    for count, ended in enumerate(ends, start=1):
        so_far = ends[:count]
        slim = ours.add(ended)
        keeping.add(ended.trial_id)
        if slim is not None:
            keeping.remove(slim.trial_id)
        complete = sorted((e for e in so_far if e.state == "complete"), key=badness)
        assert keeping == {e.trial_id for e in complete[:KEPT]}
        search = [e for e in so_far if e.repeat_of is None]
        assert (ours.searched, ours.repeated) == (len(search), count - len(search))
        if search:
            assert ours.since_best == len(search) - 1 - search.index(min(search, key=badness))
        valued = [e for e in so_far if e.value is not None]
        assert ours.best == min(valued, key=badness, default=None)
        assert ours.finalists(2) == [e for e in complete if e.repeat_of is None][:2]
        assert ours.seconds == pytest.approx(sum(e.seconds for e in so_far))
    assert list(ours.values()) == ends


@pytest.mark.parametrize("seed", range(3))
def test_the_driver_and_the_run_agree_on_the_best_colours_at_every_end(
    tmp_path: Path, seed: int
) -> None:
    """With guards that break by chance, trials that are stopped, and finalists."""
    random = np.random.default_rng(seed)
    ledger = open_ledger(tmp_path, make_config(trials=7, finalists=2, repeats=2))
    chosen = []
    while opened := ledger.ask():
        value, skill = random.uniform(2.0, 3.0), random.uniform(-0.1, 0.1)
        ledger.report(opened.trial_id, make_report(1, value=value, grey_skill=skill))
        if opened.repeat_of is not None or random.random() > 0.3:
            report = make_report(EPOCHS, value=value, grey_skill=skill)
            ledger.report(opened.trial_id, report)
        else:
            ledger.open[opened.trial_id].stopped = TrialOutcome("pruned", "behind")
        ledger.finish(opened.trial_id)
        run = open_run(ledger.run.path)
        found = winners(build_leaderboard(run), run.objective)
        assert ledger.best is not None
        assert found.best_colours == ledger.best.trial_id
        chosen.append(found.best_colours)
    assert len(chosen) == 11
    assert len(set(chosen)) > 1
    # A driver that goes on agrees, too.
    again = open_ledger(tmp_path, ledger.config)
    assert again.best == ledger.best
