"""Searches on tables, and what they say: cost to reach random search's result, regret at its cost.

Random search has a budget in trainings; what these take by the table's clock, with so many
workers, is the cost that all searchers get. *Cost ratio*: the clock when a searcher's best became
as good as random search's final best, over random search's whole cost. *Regret*: what a searcher
has at that cost, 0 at the table's best configuration and 1 at its median one. Intervals are 95 %
bootstrap intervals; tables are drawn first, then seeds of each.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks.search_quality.table_searchers import SEARCHERS
from benchmarks.search_quality.tables import Table
from benchmarks.search_quality.workers import History, simulate

#: what our search must stay below
COST_RATIO_FLOOR = 1 / 3
N_BOOTSTRAP = 2000


def run(options: argparse.Namespace) -> dict[str, Any]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows: list[dict[str, Any]] = []
    for name in options.tables:
        table = Table(name)
        for workers in options.workers:
            for seed in range(options.seeds):
                histories = search_all(
                    table, seed, workers, max(options.trainings), options.one_seed
                )
                rows += measure(table, seed, workers, histories, options.trainings)
            print(_table_line(name, workers, max(options.trainings), rows), flush=True)
    result = {
        "seeds": options.seeds,
        "sees": "one recorded seed" if options.one_seed else "the mean of the recorded seeds",
        "summary": [
            summarise(rows, workers, trainings)
            for workers in options.workers
            for trainings in options.trainings
        ],
        "rows": rows,
    }
    show(result)
    return result


def search_all(
    table: Table, seed: int, workers: int, trainings: int, one_seed: bool
) -> dict[str, History]:
    """Search with each searcher for at least what random search takes for so many trainings."""
    histories: dict[str, History] = {}
    for name, make in SEARCHERS.items():
        with tempfile.TemporaryDirectory() as folder:
            histories[name] = simulate(
                make(table, seed, Path(folder)),
                table,
                workers=workers,
                trainings=trainings,
                seconds=histories["random"].ends[trainings - 1] if histories else 0.0,
                one_seed=np.random.default_rng(seed) if one_seed else None,
            )
    return histories


def measure(
    table: Table, seed: int, workers: int, histories: dict[str, History], budgets: list[int]
) -> list[dict[str, Any]]:
    """A row for each searcher and budget in trainings; random search sets cost and target."""
    rows = []
    for trainings in budgets:
        cost = histories["random"].ends[trainings - 1]
        target = histories["random"].best[trainings - 1]
        for name, history in histories.items():
            first = history.first(target)
            rows.append(
                {
                    "table": table.name,
                    "workers": workers,
                    "seed": seed,
                    "trainings": trainings,
                    "searcher": name,
                    "cost_ratio": None if first is None else history.ends[first] / cost,
                    "training_ratio": None if first is None else (first + 1) / trainings,
                    "regret": table.regret(history.best_at(cost)),
                }
            )
    return rows


def summarise(rows: list[dict[str, Any]], workers: int, trainings: int) -> dict[str, Any]:
    """Medians and means over tables and seeds."""
    rows = [row for row in rows if (row["workers"], row["trainings"]) == (workers, trainings)]
    summary: dict[str, Any] = {"workers": workers, "trainings": trainings}
    for name in SEARCHERS:
        cost_ratios = _grid(rows, name, "cost_ratio")
        summary[name] = {
            "cost_ratio": _with_interval(cost_ratios, np.median),
            "training_ratio": _with_interval(_grid(rows, name, "training_ratio"), np.median),
            "reached_at_equal_cost": float((cost_ratios <= 1).mean()),
            "regret": _with_interval(_grid(rows, name, "regret"), np.mean),
        }
    ours, plain = (_grid(rows, name, "regret") for name in ("ours", "plain TPE"))
    summary["ours minus plain TPE"] = {
        "regret": _with_interval(ours - plain, np.mean),
        "better": float((ours < plain).mean()),
        "worse": float((ours > plain).mean()),
    }
    return summary


def _grid(rows: list[dict[str, Any]], searcher: str, key: str) -> np.ndarray:
    """Values by table and seed."""
    by_table: dict[str, list[float]] = {}
    for row in rows:
        if row["searcher"] == searcher:
            # A target that was never reached costs more than any ratio.
            value = np.inf if row[key] is None else row[key]
            by_table.setdefault(row["table"], []).append(value)
    return np.array(list(by_table.values()))


def _with_interval(
    values: np.ndarray, statistic: Callable[[np.ndarray], Any]
) -> dict[str, float | None]:
    rng = np.random.default_rng(0)
    n_tables, n_seeds = values.shape
    drawn = []
    for _ in range(N_BOOTSTRAP):
        tables = rng.integers(0, n_tables, n_tables)
        seeds = rng.integers(0, n_seeds, (n_tables, n_seeds))
        drawn.append(statistic(values[tables[:, None], seeds]))
    low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
    return {"value": _finite(statistic(values)), "low": _finite(low), "high": _finite(high)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _table_line(name: str, workers: int, trainings: int, rows: list[dict[str, Any]]) -> str:
    asked = (name, workers, trainings)
    rows = [row for row in rows if (row["table"], row["workers"], row["trainings"]) == asked]
    parts = [
        f"{searcher} {np.median(_grid(rows, searcher, 'cost_ratio')):.2f} "
        f"{np.mean(_grid(rows, searcher, 'regret')):.3f}"
        for searcher in SEARCHERS
    ]
    return f"{name:34s} {workers} workers, cost ratio and regret: " + "; ".join(parts)


def show(result: dict[str, Any]) -> None:
    print(f"\n{result['seeds']} seeds a table; a searcher sees {result['sees']}")
    print("no table has learning curves: what is measured is the sampler, without early stopping")
    for summary in result["summary"]:
        print(
            f"\n{summary['workers']} workers, what random search takes for {summary['trainings']} "
            f"trainings\n{'':10s}{'cost ratio':>24s}{'in trainings':>24s}{'regret':>28s}"
        )
        for name in SEARCHERS:
            row = summary[name]
            print(
                f"{name:10s}{_interval(row['cost_ratio'], 2):>24s}"
                f"{_interval(row['training_ratio'], 2):>24s}{_interval(row['regret'], 4):>28s}"
            )
        ratio = summary["ours"]["cost_ratio"]["value"]
        verdict = "holds" if ratio is not None and ratio <= COST_RATIO_FLOOR else "falls short"
        print(f"cost ratio of ours at most {COST_RATIO_FLOOR:.2f}: {verdict}")
        difference = summary["ours minus plain TPE"]
        print(
            f"regret of ours minus plain TPE: {_interval(difference['regret'], 4)}; "
            f"better in {difference['better']:.0%}, worse in {difference['worse']:.0%}"
        )


def _interval(cell: dict[str, float | None], digits: int) -> str:
    value, low, high = (
        "none" if number is None else f"{number:.{digits}f}"
        for number in (cell["value"], cell["low"], cell["high"])
    )
    return f"{value} ({low} to {high})"
