"""What bounds Ray Tune's work for a trial changes neither the order of starts nor a result."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from search.tune.upkeep import ForgetNumbers, InOrder


@given(events=st.lists(st.sampled_from(["add", "add", "start", "end one that waits"]), max_size=40))
def test_trials_start_in_the_order_that_tune_itself_would_choose(events: list[str]) -> None:
    trials: list[Any] = []
    controller: Any = SimpleNamespace(get_trials=lambda: trials)
    ours, tunes = InOrder(), FIFOScheduler()  # type: ignore[no-untyped-call]
    for event in events:
        waiting = [trial for trial in trials if trial.status == Trial.PENDING]
        if event == "add":
            trials.append(SimpleNamespace(status=Trial.PENDING))
            ours.on_trial_add(controller, trials[-1])
        elif event == "start" and waiting:
            waiting[0].status = Trial.RUNNING
        elif waiting:
            waiting[-1].status = Trial.TERMINATED
        chosen = ours.choose_trial_to_run(controller)
        assert chosen is tunes.choose_trial_to_run(controller)
        assert ours.choose_trial_to_run(controller) is chosen


def test_only_the_statistics_of_a_trial_are_forgotten() -> None:
    trial = Trial("trivial", stub=True)
    trial.update_last_result({"training_iteration": 1, "report": {"epoch": 1, "seconds": 2.0}})
    assert trial.metric_analysis
    assert trial.metric_n_steps
    ForgetNumbers().on_trial_complete(1, [trial], trial)
    assert cast(dict[str, Any], trial.metric_analysis) == {}
    assert cast(dict[str, Any], trial.metric_n_steps) == {}
    assert trial.last_result["report"] == {"epoch": 1, "seconds": 2.0}
