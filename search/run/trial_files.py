"""What the driver writes of a trial's epochs, and how it is read after a restart.

Losses and validations are append-only; what the last epoch says of the test photos is a file.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from models.file_names import CURVES, TEST, VALIDATION
from search.run.directory import append_rows, cut_rows, read_json, read_rows, write_json

_COUNTERS = ("step", "epoch", "images", "seconds", "feasible", "discriminator_auc")
#: counters of a trial that goes on from a shared beginning
_SHARED = ("shared_epochs", "seconds_saved")


def append_report(folder: Path, report: dict[str, Any]) -> None:
    """Append an epoch, its validation last, so that the rest is there where that is."""
    if report["test"]:
        write_json(folder / TEST, report["test"])
    append_rows(folder / CURVES, report["windows"])
    counters = {key: report[key] for key in _COUNTERS}
    counters |= {key: report[key] for key in _SHARED if report[key]}
    append_rows(folder / VALIDATION, [{**counters, **report["metrics"]}])


def read_test(folder: Path) -> dict[str, float]:
    """The columns on the test photos of a trial whose epochs are all trained; empty without any."""
    if not (folder / TEST).is_file():
        return {}
    columns = read_json(folder / TEST)
    # What was not finite is null in a file.
    return {name: math.nan if columns[name] is None else columns[name] for name in columns}


def take_up_rows(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Cut off what a kill left of an epoch; return the rows (losses, validations) that stay."""
    validations = read_rows(folder / VALIDATION)
    cut_rows(folder / VALIDATION, keep=len(validations))
    epoch = validations[-1]["epoch"] if validations else 0
    windows = [window for window in read_rows(folder / CURVES) if window["epoch"] <= epoch]
    cut_rows(folder / CURVES, keep=len(windows))
    return windows, validations
