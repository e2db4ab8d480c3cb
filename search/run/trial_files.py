"""A trial's append-only files: its losses and validations, written and read after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.file_names import CURVES, VALIDATION
from search.run.directory import append_rows, cut_rows, read_rows

_COUNTERS = ("step", "epoch", "images", "seconds", "feasible", "discriminator_auc")
#: counters of a trial that goes on from a shared beginning
_SHARED = ("shared_epochs", "seconds_saved")


def append_report(folder: Path, report: dict[str, Any]) -> None:
    """Append an epoch: its losses first, so that each validation has the losses that led to it."""
    append_rows(folder / CURVES, report["windows"])
    counters = {key: report[key] for key in _COUNTERS}
    counters |= {key: report[key] for key in _SHARED if report[key]}
    append_rows(folder / VALIDATION, [{**counters, **report["metrics"]}])


def take_up_rows(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Cut off what a kill left of an epoch; return the rows (losses, validations) that stay."""
    validations = read_rows(folder / VALIDATION)
    cut_rows(folder / VALIDATION, keep=len(validations))
    epoch = validations[-1]["epoch"] if validations else 0
    windows = [window for window in read_rows(folder / CURVES) if window["epoch"] <= epoch]
    cut_rows(folder / CURVES, keep=len(windows))
    return windows, validations
