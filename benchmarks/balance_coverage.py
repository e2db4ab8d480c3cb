"""How often the 90 % interval of the balancing ratio covers the ratio that was planted.

    python -m benchmarks.balance_coverage [--runs 500] [--json FILE]

Each run is drawn by `tests.analysis.planted.planted_run`. The reference, in the same runs, is the
plain way: a straight line through all trials' drifts against log2(ratio), percentiles of a
bootstrap over trials.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.statistics.balance import balance_of
from tests.analysis.planted import planted_run


def plain_interval(trials: pd.DataFrame, rng: np.random.Generator) -> tuple[float, float]:
    """Straight line, trials resampled one by one."""
    x = np.log2(trials["parameter_ratio"].to_numpy())
    y = trials["adversarial_drift"].to_numpy()
    zeros = []
    for _ in range(300):
        i = rng.integers(0, x.size, x.size)
        slope, constant = np.polyfit(x[i], y[i], 1)
        zeros.append(-constant / slope)
    low, high = np.quantile(zeros, [0.05, 0.95])
    return 2**low, 2**high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    covered, widths, errors, plain_covered, determined = 0, [], [], 0, 0
    started = time.perf_counter()
    for number in range(options.runs):
        planted = planted_run(np.random.default_rng((2026, number)))
        low, high = plain_interval(planted.trials, np.random.default_rng(number))
        plain_covered += low <= planted.ratio <= high
        crossing = balance_of(planted.trials).crossing
        if not crossing.determined:
            continue
        determined += 1
        assert crossing.ratio is not None
        assert crossing.low is not None
        assert crossing.high is not None
        covered += crossing.low <= planted.ratio <= crossing.high
        widths.append(crossing.high / crossing.low)
        errors.append(abs(np.log2(crossing.ratio / planted.ratio)))
    result = {
        "runs": options.runs,
        "determined": determined,
        "covered_share": covered / determined,
        "median_high_over_low": float(np.median(widths)),
        "median_error_factor": float(2 ** np.median(errors)),
        "plain_covered_share": plain_covered / options.runs,
        "seconds": time.perf_counter() - started,
    }
    print(f"planted runs                 {result['runs']}")
    print(f"determined                   {determined} ({determined / options.runs:.1%})")
    print(f"interval covers the truth    {result['covered_share']:.1%} of these (aim 85-95 %)")
    print(f"  plain line, plain bootstrap {result['plain_covered_share']:.1%}")
    print(f"high / low, median           {result['median_high_over_low']:.2f}")
    print(f"estimate / truth, median     {result['median_error_factor']:.2f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
