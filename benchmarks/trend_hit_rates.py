"""How often the trend and the change point are right, on curves of known truth.

    python -m benchmarks.trend_hit_rates [--curves 4800] [--json FILE]

The truth is a drift of 0, +-5 (stagnant) or +-25, +-40 per cent (rising, falling). The plain
reference, on the same curves, calls a curve rising or falling when the slope of a least-squares
line differs from zero at 90 % confidence, as if its points were independent, otherwise stagnant.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from analysis.statistics.change_point import flattening_of
from analysis.statistics.stagnation import trend_of
from tests.analysis.planted import NOISES, curve_of, noise_of

TRUTHS = {
    0.0: "stagnant",
    5.0: "stagnant",
    -5.0: "stagnant",
    25.0: "rising",
    40.0: "rising",
    -25.0: "falling",
    -40.0: "falling",
}
LENGTHS = (40, 120, 300)


def plain_trend(values: list[float]) -> str:
    y = np.array(values[len(values) // 2 :])
    x = np.arange(y.size) - (y.size - 1) / 2
    slope = float(x @ y / (x @ x))
    error = math.sqrt(float(np.var(y - y.mean() - slope * x)) / float(x @ x))
    return "stagnant" if abs(slope) < 1.645 * error else "rising" if slope > 0 else "falling"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=5040)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(2026)
    each = math.ceil(options.curves / len(TRUTHS) / len(NOISES) / len(LENGTHS))
    rows: list[dict[str, Any]] = []
    for n in LENGTHS:
        for noise in NOISES:
            count: Counter[str] = Counter()
            for drift, truth in TRUTHS.items():
                for _ in range(each):
                    values = curve_of(drift, n, noise, rng)
                    kind = "flat" if truth == "stagnant" else "moving"
                    found = trend_of(values)
                    count[f"{kind} all"] += 1
                    count[f"{kind} {_verdict(found.trend, truth)}"] += 1
                    count[f"{kind} plain {_verdict(plain_trend(values), truth)}"] += 1
                    if found.low is not None and found.high is not None:
                        count["interval"] += 1
                        count["covered"] += found.low <= drift <= found.high
            rows.append({"windows": n, "noise": noise, **_shares(count)})
    print(
        "windows noise           flat: hit unclear false (plain)   "
        "moving: hit unclear false (plain)  cover"
    )
    for row in rows:
        print(
            f"{row['windows']:7d} {row['noise']:15s} "
            f"{row['flat hit']:9.1%} {row['flat unclear']:7.1%} {row['flat false']:5.1%} "
            f"({row['flat plain false']:.1%}) {row['moving hit']:14.1%} "
            f"{row['moving unclear']:7.1%} {row['moving false']:5.1%} "
            f"({row['moving plain false']:.1%}) {row['cover']:8.1%}"
        )
    total = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0] if " " in name}
    total["cover"] = sum(row["cover"] for row in rows) / len(rows)
    print("\nmean of the rows:", ", ".join(f"{name} {value:.1%}" for name, value in total.items()))
    flattening = _flattening(rng, 50)
    print("\nchange point, 3 lengths x 6 noises:", json.dumps(flattening))
    if options.json:
        options.json.write_text(
            json.dumps({"trend": rows, "flattening": flattening}, indent=2) + "\n"
        )


def _verdict(found: str, truth: str) -> str:
    return "hit" if found == truth else "unclear" if found == "unclear" else "false"


def _shares(count: Counter[str]) -> dict[str, float]:
    shares = {
        f"{kind} {name}": count[f"{kind} {name}"] / count[f"{kind} all"]
        for kind in ("flat", "moving")
        for name in ("hit", "unclear", "false", "plain false")
    }
    return {**shares, "cover": count["covered"] / max(count["interval"], 1)}


def _flattening(rng: np.random.Generator, each: int) -> dict[str, float]:
    """Curves that fall by 40 % and flatten at a random point, fall all the way, or never move."""
    right: Counter[str] = Counter()
    errors = []
    for n in LENGTHS:
        for noise in NOISES:
            for _ in range(each):
                t, knot = np.linspace(0, 1, n), rng.uniform(0.15, 0.7)
                shapes = {
                    "flattened": 1 + 0.6 * np.maximum(knot - t, 0) / knot,
                    "still moving": 1.6 - 0.6 * t,
                    "flat throughout": np.ones(n),
                }
                for shape, y in shapes.items():
                    found = flattening_of((y + 0.03 * noise_of(noise, n, rng)).tolist())
                    right[shape] += found.shape == shape
                    if shape == found.shape == "flattened" and found.step is not None:
                        errors.append(abs(found.step / (n - 1) - knot))
    total = each * len(LENGTHS) * len(NOISES)
    return {
        **{shape: count / total for shape, count in right.items()},
        "median_error_share_of_curve": float(np.median(errors)),
        "error_95th_percentile": float(np.quantile(errors, 0.95)),
    }


if __name__ == "__main__":
    main()
