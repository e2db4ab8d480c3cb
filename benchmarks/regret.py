"""How far is the generator that a search hands out behind the best that it trained?

    python -m benchmarks.regret RUN... --images DIR [--image-size 64]

Every trial's best generator is judged on photos that took no part in the run: those that
`benchmarks.without_test` keeps out. The judge is that of `benchmarks.quality`, a kernel distance,
smaller is better. Regret is that of the generator handed out less that of the run's best;
*best colours* is what `chromatune export` takes, *rank 1* is `--by balance`, *lowest feasible
ab_swd* what was called best before there was one objective.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.stored_run.run import open_run
from benchmarks.recordings.evaluation import SETS, Evaluation
from benchmarks.recordings.judge import FULL_SIDE, FeatureNetwork
from benchmarks.recordings.partition import PhotoSets
from models.metrics.objective import Guard
from search.finetune.stored_generator import load_generator
from search.finetune.trial_choice import chosen_trial

GUARDS = (Guard.parse("grey_skill > 0"), Guard.parse("ab_hf_ratio < 2"))
COLUMNS = (
    "search",
    "trials judged",
    "best",
    "median",
    "best colours: regret",
    "rank 1: regret",
    "lowest feasible `ab_swd`: regret",
)


class Regret(NamedTuple):
    """The judge's word on a run: of its trials, and how far behind three choices are."""

    distances: dict[str, float]
    colours: float
    balance: float
    ab_swd: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    photos = PhotoSets.open(options.images, image_size=options.image_size)
    evaluation = Evaluation(photos, FeatureNetwork(side=FULL_SIDE))
    print(f"| {' | '.join(COLUMNS)} |\n|---{'|---:' * (len(COLUMNS) - 1)}|")
    for path in options.runs:
        found = regret_of(path, evaluation)
        known = found.distances.values()
        figures = (min(known), median(known), found.colours, found.balance, found.ab_swd)
        cells = " | ".join(f"{figure:.1f}" for figure in figures)
        print(f"| {path.name} | {len(known)} | {cells} |", flush=True)


def regret_of(path: Path, evaluation: Evaluation) -> Regret:
    """Judge every trial of a run that kept a generator."""
    run = open_run(path)
    rows = {row["trial_id"]: row for row in build_leaderboard(run).to_dict("records")}
    test = SETS.index("test")
    distances = {}
    for trial_id, row in rows.items():
        if row["state"] != "failed" and row["epochs"]:
            colours = evaluation.colorize(load_generator(run, trial_id).generator)
            distances[trial_id] = evaluation.judge({"test": colours["test"]})["kid"][test]
    best = min(distances.values())
    feasible = [i for i in distances if not any(guard.violation(rows[i]) for guard in GUARDS)]
    lowest = min(feasible or distances, key=lambda i: rows[i]["ab_swd"])
    by = {
        how: chosen_trial(run, None, by=how, command="").trial_id for how in ("colour", "balance")
    }
    return Regret(
        distances,
        colours=distances[by["colour"]] - best,
        balance=distances[by["balance"]] - best,
        ab_swd=distances[lowest] - best,
    )


if __name__ == "__main__":
    main()
