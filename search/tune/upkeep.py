"""What keeps Ray Tune's own work for a trial the same, however many have ended.

Tune keeps every trial of a search, looks at all of them to find the next one to start, and keeps
running means of every number that each of them reported.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController


class InOrder(FIFOScheduler):
    """Starts trials in the order in which they came, without a look at those that have started.

    A trial waits once: this project neither pauses trials nor lets Tune restart them.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._waiting: deque[Trial] = deque()

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Let a trial wait."""
        self._waiting.append(trial)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """The trial that has been waiting for longest."""
        while self._waiting and self._waiting[0].status != Trial.PENDING:
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None


class ForgetNumbers(Callback):
    """Drops Tune's statistics of a trial that has ended: 0.1 MB, which nobody reads."""

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Forget the numbers of a trial."""
        trial.metric_analysis.clear()
        trial.metric_n_steps.clear()

    on_trial_error = on_trial_complete
