"""Searches on real photos at equal image-steps: ours, random search, the report's hand-made grid.

Every method trains with `models.training.trial.TrialTraining` on the same photos, in one process.
Ours goes through the ledger (`ask`, `report`, `finish`), known points and early stopping included,
exactly as the driver does; random search draws from the same space and trains every trial to its
end; the grid is the trainings that `search/configs/*.yaml` name, in order, and then the same at the
other end of the report's learning rates, until the budget is spent. A search's result is the
lowest ab_swd of all epochs that satisfy the guards.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.samplers import RandomSampler

from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import Split, split_by_content
from models.training.device import resolve_compute
from models.training.loss_window import NonFiniteLossError
from models.training.report import EpochReport
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining
from search.config import SearchConfig, load_yaml
from search.run.directory import RunFolder, append_rows, read_rows
from search.run.ledger import Ledger
from search.space import SearchSpace
from search.study.creation import distributions, open_study
from search.tune.messages import TrialFailed

CONFIGS = Path(__file__).parents[2] / "search" / "configs"
#: the ready searches that are the report's own, in its order
REPORT_STUDIES = ("complexity", "adversarial_effect", "final_model")
#: the ends of the report's learning rates
REPORT_RATES = (7e-6, 7e-5)
KEPT_METRICS = ("ab_swd", "grey_skill", "ab_hf_ratio")


@dataclass(frozen=True, kw_only=True)
class PhotoTask:
    """What all methods share."""

    images: str
    image_size: int = 64
    #: training photos, the first of the split
    photos: int = 800
    max_epochs: int = 6
    #: photos that a search may train on, counted once an epoch
    image_budget: int = 60_000
    batch_size: int = 16
    max_validation_photos: int = 128
    #: ours and random search draw from the default space, widened to hold what the report tried
    widest_generator: int = 72

    def config(self, seed: int) -> SearchConfig:
        """Our search; it may ask for as many trials as the budget could at most pay for."""
        grace = SearchConfig(name="x").early_stopping.grace_epochs
        shortest = self.photos * min(grace, self.max_epochs)
        return SearchConfig(
            name="search",
            trials=math.ceil(self.image_budget / shortest),
            max_epochs=self.max_epochs,
            image_size=self.image_size,
            batch_size=self.batch_size,
            max_validation_photos=self.max_validation_photos,
            seed=seed,
            space=SearchSpace.parse(
                {"generator_complexity": {"low": 8, "high": self.widest_generator, "log": True}}
            ),
        )


@dataclass
class Meter:
    """Adds up what a search has trained and keeps its best."""

    task: PhotoTask
    seed: int
    images: int = 0
    best: dict[str, Any] | None = None
    trainings: list[dict[str, Any]] = field(default_factory=list)
    #: [images so far, best ab_swd so far or null], a point an epoch
    curve: list[list[float | None]] = field(default_factory=list)

    @property
    def spent(self) -> bool:
        return self.images >= self.task.image_budget

    def train(
        self, settings: TrainingSettings, folder: Path
    ) -> Iterator[EpochReport | TrialFailed]:
        """Train epoch by epoch; yields what the trainable would tell the driver."""
        training: dict[str, Any] = {"settings": settings.to_dict(), "epochs": []}
        self.trainings.append(training)
        cache, split = open_photos(self.task)
        trial = TrialTraining(
            folder,
            settings=settings,
            max_epochs=self.task.max_epochs,
            cache=cache,
            split=split,
            objective=self.task.config(self.seed).make_objective(),
            compute=resolve_compute("cpu"),
            max_validation_photos=self.task.max_validation_photos,
        )
        before = 0
        while not trial.done and not self.spent:
            try:
                report = trial.run_epoch()
            except NonFiniteLossError as error:
                self.images += trial.training.images - before
                yield TrialFailed(f"non-finite loss: {error}")
                return
            self.images += report.images - before
            before = report.images
            row = {name: report.metrics[name] for name in KEPT_METRICS}
            training["epochs"].append(row)
            if report.feasible and (self.best is None or row["ab_swd"] < self.best["ab_swd"]):
                self.best = {**row, "epoch": report.epoch, "training": len(self.trainings) - 1}
            self.curve.append([self.images, self.best and self.best["ab_swd"]])
            yield report


@lru_cache(maxsize=1)
def open_photos(task: PhotoTask) -> tuple[PhotoCache, Split]:
    cache = build_cache(open_source(task.images), image_size=task.image_size, fit="crop")
    split = split_by_content(cache.hashes)
    return cache, replace(split, train=split.train[: task.photos])


def our_search(task: PhotoTask, seed: int, folder: Path) -> Meter:
    config = task.config(seed)
    run = RunFolder(folder / config.name)
    run.create(config.to_dict(), command=["benchmarks.search_quality"])
    ledger = Ledger(run, open_study(run.study_path, config), config)
    meter = Meter(task, seed)
    while not meter.spent and (opened := ledger.ask()):
        for report in meter.train(opened.settings, run.trial_folder(opened.trial_id)):
            if isinstance(report, TrialFailed):
                ledger.fail(opened.trial_id, report.reason)
            elif ledger.report(opened.trial_id, report):
                break
        if meter.spent:
            ledger.stop_all("the budget of images is spent")
        ledger.finish(opened.trial_id)
    return meter


def random_search(task: PhotoTask, seed: int, folder: Path) -> Meter:
    config = task.config(seed)
    space = config.space
    study = optuna.create_study(sampler=RandomSampler(seed=seed))

    def draw() -> Iterator[TrainingSettings]:
        while True:
            trial = study.ask(fixed_distributions=distributions(space))
            yield space.settings(trial.params, seed=seed * 7919 + trial.number)

    return _train_all(task, seed, draw(), folder)


def report_grid(task: PhotoTask, seed: int, folder: Path) -> Meter:
    return _train_all(task, seed, grid_settings(task, seed), folder)


def grid_settings(task: PhotoTask, seed: int) -> Iterator[TrainingSettings]:
    """The report's trainings, first with its own learning rates, then with the other."""
    trainings: list[dict[str, Any]] = []
    for name in REPORT_STUDIES:
        config = load_yaml(CONFIGS / f"{name}.yaml")
        points = config.get("points", [{}])
        trainings += [{**config["space"], **point} for point in points]
    other = []
    # The final model is the report's best guess: it gets its second chance first.
    for training in reversed(trainings):
        low, high = REPORT_RATES
        rate = low if training["generator_lr"] == high else high
        other.append({**training, "generator_lr": rate, "discriminator_lr": rate})
    for number, training in enumerate(trainings + other):
        yield TrainingSettings.from_dict(
            {
                **training,
                "image_size": task.image_size,
                "batch_size": task.batch_size,
                "seed": seed * 7919 + number,
            }
        )


def _train_all(
    task: PhotoTask, seed: int, trainings: Iterator[TrainingSettings], folder: Path
) -> Meter:
    meter = Meter(task, seed)
    for number, settings in enumerate(trainings):
        for _ in meter.train(settings, folder / str(number)):
            pass
        if meter.spent:
            break
    return meter


METHODS: dict[str, Callable[[PhotoTask, int, Path], Meter]] = {
    "ours": our_search,
    "random": random_search,
    "report's grid": report_grid,
}


def run_all(task: PhotoTask, seeds: int, rows_path: Path) -> list[dict[str, Any]]:
    """Run what `rows_path` does not hold yet; returns a row for each method and seed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    identity = {**asdict(task), "images": Path(task.images).name}
    rows = {
        (row["method"], row["seed"]): row for row in read_rows(rows_path) if row["task"] == identity
    }
    for seed in range(seeds):
        for method, search in METHODS.items():
            if (method, seed) in rows:
                continue
            with tempfile.TemporaryDirectory() as folder:
                meter = search(task, seed, Path(folder))
            row = {
                "method": method,
                "seed": seed,
                "task": identity,
                "images": meter.images,
                "best": meter.best,
                "curve": meter.curve,
                "trainings": meter.trainings,
            }
            append_rows(rows_path, [row])
            rows[method, seed] = row
            print(_line(row), flush=True)
    return [rows[method, seed] for seed in range(seeds) for method in METHODS]


def _line(row: dict[str, Any]) -> str:
    best = "none" if row["best"] is None else f"{row['best']['ab_swd']:.3f}"
    return (
        f"{row['method']:14s} seed {row['seed']}  best ab_swd {best}  "
        f"{len(row['trainings'])} trainings, {row['images']} images"
    )
