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
    rows = []
    for name in options.tables:
        table = Table(name)
        for workers in options.workers:
            for seed in range(options.seeds):
                rows += search_all(table, seed, workers, options.trainings, options.one_seed)
        for workers in options.workers:
            print(_table_line(name, workers, rows), flush=True)
    result = {
        "trainings": options.trainings,
        "seeds": options.seeds,
        "sees": "one recorded seed" if options.one_seed else "the mean of the recorded seeds",
        "summary": {str(workers): summarise(rows, workers) for workers in options.workers},
        "rows": rows,
    }
    show(result)
    return result


def search_all(
    table: Table, seed: int, workers: int, trainings: int, one_seed: bool
) -> list[dict[str, Any]]:
    """A row for each searcher; random search comes first and sets the cost."""
    rows, cost, target = [], 0.0, 0.0
    for name, make in SEARCHERS.items():
        with tempfile.TemporaryDirectory() as folder:
            history = simulate(
                make(table, seed, Path(folder)),
                table,
                workers=workers,
                trainings=trainings,
                seconds=cost,
                one_seed=np.random.default_rng(seed) if one_seed else None,
            )
        if name == "random":
            cost, target = history.ends[trainings - 1], history.best[trainings - 1]
        rows.append(
            {
                "table": table.name,
                "workers": workers,
                "seed": seed,
                "searcher": name,
                **_reached(history, target, cost, trainings),
                "regret": table.regret(history.best_at(cost)),
                "regret_at_third": table.regret(history.best_at(cost / 3)),
            }
        )
    return rows


def _reached(
    history: History, target: float, cost: float, trainings: int
) -> dict[str, float | None]:
    first = history.first(target)
    if first is None:
        return {"cost_ratio": None, "training_ratio": None}
    return {"cost_ratio": history.ends[first] / cost, "training_ratio": (first + 1) / trainings}


def summarise(rows: list[dict[str, Any]], workers: int) -> dict[str, Any]:
    """Medians and means over tables and seeds for one number of workers."""
    summary: dict[str, Any] = {}
    for name in SEARCHERS:
        # A target that was never reached costs more than any ratio.
        values = {
            key: _grid(rows, workers, name, key)
            for key in ("cost_ratio", "training_ratio", "regret", "regret_at_third")
        }
        summary[name] = {
            "cost_ratio": _with_interval(values["cost_ratio"], np.median),
            "training_ratio": _with_interval(values["training_ratio"], np.median),
            "reached_at_equal_cost": float((values["cost_ratio"] <= 1).mean()),
            "regret": _with_interval(values["regret"], np.mean),
            "regret_at_third": float(values["regret_at_third"].mean()),
        }
    ours, plain = (_grid(rows, workers, name, "regret") for name in ("ours", "plain TPE"))
    summary["ours minus plain TPE"] = {
        "regret": _with_interval(ours - plain, np.mean),
        "better": float((ours < plain).mean()),
        "worse": float((ours > plain).mean()),
    }
    return summary


def _grid(rows: list[dict[str, Any]], workers: int, searcher: str, key: str) -> np.ndarray:
    """Values by table and seed."""
    by_table: dict[str, list[float]] = {}
    for row in rows:
        if row["workers"] == workers and row["searcher"] == searcher:
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


def _table_line(name: str, workers: int, rows: list[dict[str, Any]]) -> str:
    rows = [row for row in rows if row["table"] == name]
    parts = [
        f"{searcher} {np.median(_grid(rows, workers, searcher, 'cost_ratio')):.2f} "
        f"{np.mean(_grid(rows, workers, searcher, 'regret')):.3f}"
        for searcher in SEARCHERS
    ]
    return f"{name:34s} {workers} workers, cost ratio and regret: " + "; ".join(parts)


def show(result: dict[str, Any]) -> None:
    print(
        f"\nbudget: what random search takes for {result['trainings']} trainings; "
        f"{result['seeds']} seeds a table; a searcher sees {result['sees']}"
    )
    print("no table has learning curves: what is measured is the sampler, without early stopping")
    for workers, summary in result["summary"].items():
        print(f"\n{workers} workers  {'cost ratio':>20s}{'in trainings':>20s}{'regret':>24s}")
        for name in SEARCHERS:
            row = summary[name]
            print(
                f"{name:10s} {_interval(row['cost_ratio'], 2):>20s}"
                f"{_interval(row['training_ratio'], 2):>20s}{_interval(row['regret'], 4):>24s}"
            )
        ratio = summary["ours"]["cost_ratio"]["value"]
        verdict = "holds" if ratio is not None and ratio <= COST_RATIO_FLOOR else "FALLS SHORT"
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
    return f"{value} ({low}-{high})" if digits == 2 else f"{value} ({low} to {high})"
