"""How often the 90 % intervals of the balance cover what was planted.

    python -m benchmarks.balance_coverage [crossing] [answers] [--runs 500] [--json FILE]

`crossing`: the balancing ratio. `answers`: slopes, equivalence, prediction and correlation, see
`benchmarks.answer_coverage`.

Each run is drawn by `tests.analysis.planted.planted_run`, in each of its scenarios; where the ratio
has no effect, every answer but "not determined" is wrong, whatever its interval covers. The
reference, in the same runs, is the plain way: a straight line through all trials' drifts against
log2(ratio), percentiles of a bootstrap over trials.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.statistics.balance import balance_of
from benchmarks.answer_coverage import answer_table
from tests.analysis.planted import SCENARIOS, Scenario, planted_run

TABLES = ("crossing", "answers")


def plain_interval(trials: pd.DataFrame, rng: np.random.Generator) -> tuple[float, float]:
    """Straight line, trials resampled one by one."""
    trials = trials[trials["state"] == "complete"]
    x = np.log2(trials["parameter_ratio"].to_numpy())
    y = trials["adversarial_drift"].to_numpy()
    zeros = []
    for _ in range(300):
        i = rng.integers(0, x.size, x.size)
        slope, constant = np.polyfit(x[i], y[i], 1)
        zeros.append(-constant / slope)
    low, high = np.quantile(np.clip(zeros, -50, 50), [0.05, 0.95])
    return 2**low, 2**high


def coverage_of(scenario: Scenario, n_runs: int) -> dict[str, float]:
    """Plant runs of a scenario and look for their ratio."""
    found: list[tuple[bool, float, float]] = []
    plain_covered = 0
    for number in range(n_runs):
        planted = planted_run(np.random.default_rng((2026, number)), scenario)
        low, high = plain_interval(planted.trials, np.random.default_rng(number))
        plain_covered += low <= planted.ratio <= high
        crossing = balance_of(planted.trials).crossing
        if crossing.ratio is not None and crossing.low is not None and crossing.high is not None:
            covers = crossing.low <= planted.ratio <= crossing.high
            off = 2 ** abs(np.log2(crossing.ratio / planted.ratio))
            found.append((covers, crossing.high / crossing.low, off))
    columns = np.array(found, dtype=np.float64).reshape(-1, 3)
    return {
        "determined": len(found) / n_runs,
        "covered": float(columns[:, 0].mean()) if found else float("nan"),
        "high / low": float(np.median(columns[:, 1])) if found else float("nan"),
        "off by": float(np.median(columns[:, 2])) if found else float("nan"),
        "plain covered": plain_covered / n_runs,
    }


def crossing_table(n_runs: int) -> dict[str, dict[str, float]]:
    """Print a line for each scenario."""
    results = {}
    print(f"{'scenario':<40}determined   covered  high/low   off by  plain covered")
    for name, scenario in SCENARIOS.items():
        result = results[name] = coverage_of(scenario, n_runs)
        line = f"{name:<40}{result['determined']:>10.1%}{result['covered']:>10.1%}"
        line += f"{result['high / low']:>10.2f}{result['off by']:>9.2f}"
        print(f"{line}{result['plain covered']:>15.1%}", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", choices=TABLES, default=TABLES)
    parser.add_argument("--runs", type=int, default=500, help="of each scenario")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    if "crossing" in options.tables:
        results["crossing"] = crossing_table(options.runs)
    if "answers" in options.tables:
        results["answers"] = answer_table(options.runs)
    if options.json:
        options.json.write_text(json.dumps({"runs": options.runs, **results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
