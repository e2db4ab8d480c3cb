"""The ended_trials say at each end what a look at all ended trials would say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.run import ended_trials
from search.run.ended_trials import EndedTrial, EndedTrials

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
