"""Ledgers without Ray, and the reports that their trials might give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.metrics.names import METRICS
from models.training.report import EpochReport
from search.config import EarlyStopping, SearchConfig
from search.run.directory import RunFolder, read_rows
from search.run.ledger import Ledger
from search.space import SearchSpace
from search.study.creation import open_study
from search.tune.messages import TrialJob
from search.tune.searcher import TuneBridge
from search.tune.trial_directory import RunFiles

EPOCHS = 3
WINDOWS = 2


#: ranges in which no two trials share anything
SPACE: dict[str, Any] = {
    "generator_complexity": {"low": 8, "high": 48, "log": True},
    "discriminator_complexity": {"low": 2, "high": 16, "log": True},
    "generator_lr": {"low": 5e-5, "high": 3e-3, "log": True},
    "discriminator_lr": {"low": 1e-6, "high": 1e-3, "log": True},
    "adversarial_factor": {"low": 0.003, "high": 0.3, "log": True},
}


def make_config(**changes: Any) -> SearchConfig:
    values = {"name": "run", "trials": 4, "max_epochs": EPOCHS, "known_points": False}
    stopping = EarlyStopping(enabled=False)
    changes["space"] = SearchSpace.parse(changes.get("space", SPACE))
    return SearchConfig(**{"early_stopping": stopping, **values, **changes})  # type: ignore[arg-type]


def open_ledger(path: Path, config: SearchConfig) -> Ledger:
    run = RunFolder(path / config.name)
    if not run.path.exists():
        run.create(config.to_dict(), command=["chromatune", "search"])
    return Ledger(run, open_study(run.study_path, config), config)


def make_report(
    epoch: int, *, value: float = 5.0, grey_skill: float = 0.1, best: int = 1
) -> EpochReport:
    metrics = {**dict.fromkeys(METRICS, 1.0), "set_swd": value, "grey_skill": grey_skill}
    return EpochReport(
        epoch=epoch,
        step=10 * epoch,
        images=160 * epoch,
        seconds=1.5 * epoch,
        windows=[
            {
                "step": 10 * (epoch - 1) + 5 * (i + 1),
                "epoch": epoch - 1 + (i + 1) / WINDOWS,
                "images": 80 * i,
                "seconds": 1.0,
                "reconstruction": 0.1,
                "adversarial": 0.7,
            }
            for i in range(WINDOWS)
        ],
        metrics=metrics,
        feasible=grey_skill > 0,
        best_epoch=best,
        best_metrics=metrics,
        done=epoch >= EPOCHS,
    )


def make_job(folder: Path, **changes: Any) -> TrialJob:
    """What the driver would tell the trials of a search in `folder`, on this machine alone."""
    values: dict[str, Any] = {
        "files": RunFiles(trials=str(folder), caches={128: str(folder / "absent")}),
        "validation_fraction": 0.1,
        "test_fraction": 0.0,
        "tested": (),
        "max_validation_photos": 12,
        "max_epochs": EPOCHS,
        "objective": "set_swd",
        "guards": (),
        "device": "cpu",
        "threads": 1,
        "fixed_threads": True,
    }
    return TrialJob(**{**values, **changes})


def make_bridge(ledger: Ledger) -> TuneBridge:
    """What stands between Tune and a ledger, without anybody who watches."""
    return TuneBridge(
        ledger, on_start=lambda _: None, on_epoch=lambda *_: None, on_end=lambda _: None
    )


def rows_of(ledger: Ledger) -> dict[str, dict[str, Any]]:
    return {row["trial_id"]: row for row in read_rows(ledger.run.path / "trials.jsonl")}


def run_to_end(ledger: Ledger, value: float = 5.0) -> list[str]:
    """Run what is left, one trial after another; returns the ids in order."""
    ids = []
    while opened := ledger.ask():
        for epoch in range(opened.reported_epoch + 1, EPOCHS + 1):
            ledger.report(opened.trial_id, make_report(epoch, value=value + opened.trial.number))
        ledger.finish(opened.trial_id)
        ids.append(opened.trial_id)
    return ids
