"""Turns what lies in a run's folder into what a tracker is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from models.file_names import ORIGINALS, SAMPLES
from models.metrics.names import METRICS
from models.networks.complexity import NetworkSizes
from models.training.settings import TrainingSettings
from search.run.directory import read_json
from search.run.trial_rows import Row
from search.tracking.tracker import (
    Scalar,
    TrackedEnd,
    TrackedEpoch,
    TrackedSearch,
    TrackedTrial,
)

#: keys of a trial's rows that say what it is; all others say how it went
_PARAMETERS = (
    *(field.name for field in fields(TrainingSettings)),
    *(field.name for field in fields(NetworkSizes)),
    *("max_epochs", "phase", "repeat_of", "configuration_id"),
)
#: a measurement in a row of validation.jsonl or curves.jsonl, beside the metrics
_COUNTERS = ("epoch", "images", "seconds")
_MOMENTS = ("trial_id", "started_at", "ended_at")


def search_of(folder: Path) -> TrackedSearch:
    """The search whose run lies in `folder`."""
    about = read_json(folder / "run.json")
    # Two runs may have one name, and a copy of a run must go on with its entries.
    own = json.dumps([about.get(key) for key in ("name", "created_at", "command")])
    return TrackedSearch(
        identity=hashlib.sha256(own.encode()).hexdigest()[:10],
        name=about["name"],
        parameters=_flat(read_json(folder / "config.json")),
        folder=folder,
    )


def trial_of(row: Row) -> TrackedTrial:
    """The trial that a row of trials.jsonl is of."""
    return TrackedTrial(
        trial_id=row["trial_id"],
        parameters={name: row[name] for name in _PARAMETERS if name in row},
        started_ms=_milliseconds(row["started_at"]),
    )


def epoch_of(trial: TrackedTrial, row: Row, window: Row) -> TrackedEpoch:
    """An epoch from its row of validation.jsonl and the last window of its losses."""
    values = {name: row.get(name) for name in (*_COUNTERS, *METRICS)}
    values |= {
        name: window[name]
        for name in window
        if name.endswith("_ema") or name.startswith("probability_")
    }
    return TrackedEpoch(
        epoch=row["epoch"],
        step=row["step"],
        # Not now: whatever is told again must be the same.
        at_ms=trial.started_ms + round(1000 * row["seconds"]),
        values=_numbers(values),
    )


def end_of(row: Row, folder: Path) -> TrackedEnd:
    """How a trial ended, from its last row of trials.jsonl; `folder` is the trial's."""
    # The metrics of its best epoch would end the curves of the metrics with a step back.
    known = {name: row[name] for name in row if name not in (*_PARAMETERS, *_MOMENTS, *METRICS)}
    pictures = (folder / SAMPLES, folder / ORIGINALS)
    return TrackedEnd(
        state=row["state"],
        step=row.get("steps") or 0,
        at_ms=_milliseconds(row.get("ended_at") or row["started_at"]),
        values=_numbers({name: known[name] for name in known if name not in _COUNTERS}),
        texts={name: value for name, value in known.items() if isinstance(value, str)},
        pictures=[path for path in pictures if path.is_file()],
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _milliseconds(moment: str) -> int:
    return round(1000 * datetime.fromisoformat(moment).timestamp())


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Nested plain values by dotted names; lists as JSON."""
    flat: dict[str, Scalar] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = json.dumps(value) if isinstance(value, list) else value
    return flat
