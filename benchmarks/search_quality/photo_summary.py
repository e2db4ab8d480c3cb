"""What searches on real photos say: the best result at equal image-steps, and the cost to reach
what random search found in the end."""

from __future__ import annotations

import statistics
from typing import Any

from models.metrics.objective import Objective

#: the method that sets the target of the cost ratio
REFERENCE = "random"


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per method: the best ab_swd of each seed, its mean, and cost ratios against random search."""
    targets = {row["seed"]: row["best"] for row in rows if row["method"] == REFERENCE}
    methods: dict[str, dict[str, Any]] = {}
    for row in rows:
        method = methods.setdefault(
            row["method"], {"best": [], "cost_ratio": [], "trainings": [], "feasible_share": []}
        )
        method["best"].append(row["best"] and row["best"]["ab_swd"])
        method["cost_ratio"].append(_cost_ratio(row, targets[row["seed"]]))
        method["trainings"].append(len(row["trainings"]))
        epochs = [epoch for training in row["trainings"] for epoch in training["epochs"]]
        method["feasible_share"].append(statistics.fmean(map(Objective().feasible, epochs)))
    for method in methods.values():
        found = [best for best in method["best"] if best is not None]
        method["mean_best"] = statistics.fmean(found) if len(found) == len(method["best"]) else None
    return {"task": rows[0]["task"], "seeds": len(targets), "methods": methods, "rows": rows}


def _cost_ratio(row: dict[str, Any], target: dict[str, Any] | None) -> float | None:
    """Share of the budget after which the best was as good as random search's final one."""
    if target is None:
        return None
    for images, best in row["curve"]:
        if best is not None and best <= target["ab_swd"]:
            return float(images / row["task"]["image_budget"])
    return None


def show(result: dict[str, Any]) -> None:
    task = result["task"]
    print(
        f"{task['image_size']} px, {task['photos']} photos an epoch, at most "
        f"{task['max_epochs']} epochs a training, {task['image_budget']} images a search"
    )
    print("best ab_swd among epochs with grey_skill > 0 and ab_hf_ratio < 2, by seed")
    for name, method in result["methods"].items():
        print(
            f"{name:14s} mean {_text(method['mean_best'])}  "
            f"each {' '.join(map(_text, method['best']))}  "
            f"cost ratio {' '.join(map(_text, method['cost_ratio']))}  "
            f"trainings {' '.join(map(str, method['trainings']))}  "
            f"feasible epochs {' '.join(f'{share:.0%}' for share in method['feasible_share'])}"
        )


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
