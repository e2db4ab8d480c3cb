"""A day of a search on a thousand GPUs, simulated: how busy does one driver keep them?

    python -m benchmarks.cluster_day [--gpus 1000] [--report-ms MS] [--trial-ms MS] [--growth-us US]
                                     [--epochs SECONDS ...] [--json FILE]

Trials follow learning curves that a random search recorded on real photos (`recorded_curves.json`),
with noise, and epochs that last as long as the curve's networks are large. Early stopping is that
of a search by default. The driver does one thing at a time, in the order of arrival, and takes
`report-ms` for a report and `trial-ms` more for the end of a trial and the start of the next, and
`growth-us` more for each trial that went before; a GPU waits for its driver. `benchmarks.scale`
measures report and trial together, and the growth; how they share it is assumed.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config import EarlyStopping

DAY_SEC = 86_400.0
MAX_EPOCHS = 14
NOISE = 0.05
CURVES = Path(__file__).with_name("recorded_curves.json")
#: mean seconds an epoch
EPOCH_SECONDS = (5.0, 10.0, 20.0, 30.0, 60.0, 300.0)


@dataclass
class Training:
    """A trial that runs on a GPU."""

    values: list[float]
    epoch_sec: float
    epoch: int = 0


class Rungs:
    """Asynchronous successive halving, as the search's pruner does it."""

    def __init__(self, stopping: EarlyStopping) -> None:
        self._stopping = stopping
        self._values: dict[int, list[float]] = {}

    def stops(self, epoch: int, value: float) -> bool:
        """Whether a trial with this value after this epoch ends."""
        rung = math.log(epoch / self._stopping.grace_epochs, self._stopping.reduction_factor)
        if epoch < self._stopping.grace_epochs or abs(rung - round(rung)) > 1e-9:
            return False
        values = self._values.setdefault(round(rung), [])
        bisect.insort(values, value)
        return value > values[max(1, len(values) // self._stopping.reduction_factor) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--gpus", type=int, default=1000)
    parser.add_argument("--report-ms", type=float, default=15.0)
    parser.add_argument("--trial-ms", type=float, default=32.0)
    parser.add_argument("--growth-us", type=float, default=0.0)
    parser.add_argument("--epochs", type=float, nargs="+", default=EPOCH_SECONDS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    print(
        f"{options.gpus} GPUs; {options.report_ms} ms a report, {options.trial_ms} ms a trial and "
        f"{options.growth_us} us for each before it"
    )
    print(f"{'epoch':>7} {'trials':>8} {'GPUs busy':>10} {'driver busy':>12} {'longest wait':>13}")
    results = []
    for seconds in options.epochs:
        result = simulate(
            gpus=options.gpus,
            epoch_sec=seconds,
            report_sec=options.report_ms / 1000,
            trial_sec=options.trial_ms / 1000,
            growth_sec=options.growth_us / 1e6,
        )
        results.append({"epoch_sec": seconds, **result})
        print(
            f"{seconds:>5.0f} s {result['trials']:>8} {result['gpus_busy']:>10.1%} "
            f"{result['driver_busy']:>12.1%} {result['longest_wait_sec']:>11.1f} s",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def simulate(
    *,
    gpus: int,
    epoch_sec: float,
    report_sec: float,
    trial_sec: float,
    growth_sec: float = 0.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Run a day; all GPUs start at once, as after `ray up`."""
    rng = random.Random(seed)
    curves = json.loads(CURVES.read_text())
    rungs = Rungs(EarlyStopping())
    driver_free, driver_busy, trained, longest, trials = 0.0, 0.0, 0.0, 0.0, 0
    running: dict[int, Training] = {}
    events = [(0.0, gpu) for gpu in range(gpus)]
    while events:
        now, gpu = heapq.heappop(events)
        if now >= DAY_SEC:
            break
        cost, training = 0.0, running.get(gpu)
        if training is not None:
            training.epoch += 1
            trained += training.epoch_sec
            cost += report_sec
            if training.epoch == MAX_EPOCHS or rungs.stops(
                training.epoch, training.values[training.epoch - 1]
            ):
                training = None
        if training is None:
            training = running[gpu] = _start(curves, epoch_sec, rng)
            trials += 1
            cost += trial_sec + growth_sec * trials
        begins = max(now, driver_free)
        driver_free = begins + cost
        driver_busy += cost
        longest = max(longest, driver_free - now) if now > 0 else longest
        heapq.heappush(events, (driver_free + training.epoch_sec, gpu))
    return {
        "trials": trials,
        "gpus_busy": round(trained / (gpus * DAY_SEC), 4),
        "driver_busy": round(min(1.0, driver_busy / DAY_SEC), 4),
        "longest_wait_sec": round(longest, 2),
    }


def _start(curves: list[dict[str, Any]], epoch_sec: float, rng: random.Random) -> Training:
    curve = rng.choice(curves)
    recorded: list[float] = curve["ab_swd"]
    offset = rng.gauss(0.0, NOISE)
    values = []
    for epoch in range(MAX_EPOCHS):
        place = epoch / (MAX_EPOCHS - 1) * (len(recorded) - 1)
        low = min(int(place), len(recorded) - 2)
        value = recorded[low] + (place - low) * (recorded[low + 1] - recorded[low])
        values.append(value + offset + rng.gauss(0.0, NOISE))
    widths = [each["generator_complexity"] for each in curves]
    relative = curve["generator_complexity"] * len(widths) / sum(widths)
    return Training(values, epoch_sec * relative * rng.uniform(0.9, 1.1))


if __name__ == "__main__":
    main()
