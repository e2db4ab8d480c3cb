"""Trials that do nothing, to measure what is around them; they need not import PyTorch."""

from __future__ import annotations

import time
from typing import Any

from ray import tune

from models.objective import METRICS


class SleepingTrainable(tune.Trainable):
    """Sleeps a second and reports plausible numbers."""

    seconds = 1.0

    def setup(self, config: dict[str, Any]) -> None:
        """Keep the trial's parameters."""
        self._settings = config["trial"]["settings"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial on the same actor."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Return the report of a complete trial."""
        started = time.monotonic()
        time.sleep(self.seconds)
        # Wide generators are good: the sampler has something to learn.
        value = 10.0 - self._settings["generator_complexity"] / 16
        metrics = {**dict.fromkeys(METRICS, 1.0), "ab_swd": value}
        report = {
            "epoch": 1,
            "step": 1,
            "images": 16,
            "seconds": time.monotonic() - started,
            "windows": [],
            "metrics": metrics,
            "feasible": True,
            "best_epoch": 1,
            "best_metrics": metrics,
            "done": True,
            "device": "cpu",
        }
        return {"report": report, "done": True}


class TrivialTrainable(SleepingTrainable):
    """Reports at once."""

    seconds = 0.0
