"""Trials that do nothing, to measure what is around them; they need not import PyTorch."""

from __future__ import annotations

import os
import time
from typing import Any

from ray import tune

from models.metrics.names import METRICS
from models.training.report import EpochReport
from search.tune.messages import EpochDone, TrialStart, to_result


class SleepingTrainable(tune.Trainable):
    """Sleeps a second and reports plausible numbers."""

    seconds = 1.0

    def setup(self, config: dict[str, Any]) -> None:
        """Keep the trial's parameters."""
        self._settings = TrialStart.from_config(config).settings

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial on the same actor."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Return the report of a complete trial."""
        started = time.monotonic()
        time.sleep(self.seconds)
        # Wide generators are good: the sampler has something to learn.
        value = 10.0 - self._settings.generator_complexity / 16
        metrics = {**dict.fromkeys(METRICS, 1.0), "set_swd": value}
        report = EpochReport(
            epoch=1,
            step=1,
            images=16,
            seconds=time.monotonic() - started,
            windows=[],
            metrics=metrics,
            feasible=True,
            best_epoch=1,
            best_metrics=metrics,
            done=True,
        )
        return to_result(EpochDone(report=report, device="cpu"))


#: the environment variable that holds the time (since the epoch) before which no trial reports
WARM_UNTIL = "CHROMATUNE_BENCHMARK_WARM_UNTIL"


class TrivialTrainable(SleepingTrainable):
    """Reports at once, but not before `WARM_UNTIL`.

    Else the first processes would do all trials while the others are still starting: each trial
    would ask for a process of its own, and a start takes as long as a hundred trials.
    """

    seconds = 0.0

    def step(self) -> dict[str, Any]:
        """Return the report of a complete trial."""
        time.sleep(max(0.0, float(os.environ.get(WARM_UNTIL, "0")) - time.time()))
        return super().step()
