"""A stored run: its configuration, data, trials table and each trial's rows and pictures."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.stored_run.column_types import typed_column
from analysis.stored_run.columns import ENDED, PENALIZED
from analysis.stored_run.rows import read_rows, whole_lines
from analysis.stored_run.run_files import Folder, LocalFolder, open_folder
from analysis.stored_run.run_folder_error import RunFolderError
from analysis.stored_run.trials import last_rows, trials_table
from data_pipeline.errors import InputError
from models.file_names import CURVES, VALIDATION
from models.metrics.names import DIRECTIONS, METRICS
from models.metrics.objective import Guard, Objective

NEWEST_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run folder holds; curves and pictures are read on demand."""

    folder: Folder
    #: run.json: format, name, version, created_at, status, command
    info: dict[str, Any]
    #: config.json, the fully resolved configuration
    config: dict[str, Any]
    #: data.json: source, image_size, counts of photos
    data: dict[str, Any]
    #: one row a trial, in the order they started; see `trials.trials_table`
    trials: pd.DataFrame
    #: whole rows of trials.jsonl that could not be read
    broken_rows: int

    @property
    def name(self) -> str:
        """The run's name, or its folder's where it has none."""
        return str(self.info.get("name") or Path(self.folder.location).name)

    @property
    def status(self) -> str:
        """Status of the run: running, finished, interrupted or failed."""
        return str(self.info.get("status") or "unknown")

    @property
    def objective(self) -> str:
        """The metric that the search optimised, by default `ab_swd`."""
        objective = self.config.get("objective")
        return objective if isinstance(objective, str) and objective in METRICS else "ab_swd"

    @property
    def comparison(self) -> Objective:
        """What the search compared trials and epochs by: the objective, penalized by its guards.

        Without penalties where the configuration is damaged.
        """
        guards = self.config.get("guards")
        texts = [str(text) for text in guards] if isinstance(guards, list) else []
        with contextlib.suppress(InputError):
            return Objective(self.objective, tuple(Guard.parse(text) for text in texts))
        return Objective(self.objective if self.objective in DIRECTIONS else "ab_swd", ())

    @property
    def objectives(self) -> tuple[str, ...]:
        """The metrics that the search optimised together: `objective` and the second ones."""
        second = self.config.get("second_objectives")
        names = second if isinstance(second, list) else []
        return (self.objective, *(name for name in names if name in METRICS))

    def curves(self, trial_id: str) -> list[dict[str, Any]]:
        """Rows of a trial's curves.jsonl: one per window of training steps."""
        return read_rows(self.folder.read(f"trials/{trial_id}/{CURVES}"))

    def curve_lines(self, trial_id: str) -> list[str]:
        """As `curves`, not yet decoded, for those who need a few of them."""
        return whole_lines(self.folder.read(f"trials/{trial_id}/{CURVES}"))

    def validation(self, trial_id: str) -> list[dict[str, Any]]:
        """Rows of a trial's validation.jsonl: one per validation."""
        return read_rows(self.folder.read(f"trials/{trial_id}/{VALIDATION}"))

    def picture(self, trial_id: str, name: str) -> bytes | None:
        """Bytes of a trial's samples.png or originals.png, or None."""
        return self.folder.read(f"trials/{trial_id}/{name}")


def open_run(path: Path | str) -> Run:
    """Open a run folder, finished or still growing, by its path or URI; nothing is written.

    Raises:
        RunFolderError: the folder is missing, is no run, is damaged or was written by a newer
            chromatune.
    """
    folder = open_folder(path)
    info = _read_object(folder, "run.json")
    if info is None:
        raise RunFolderError(
            f"a run folder must hold run.json, but {folder.location} has none{_hint(folder)}"
        )
    format_ = info.get("format")
    if not isinstance(format_, int) or isinstance(format_, bool) or format_ < 1:
        raise RunFolderError(
            f"the format in run.json must be a whole number from 1 to {NEWEST_FORMAT}, "
            f"but {folder.location} has {format_!r}; the run's folder is damaged"
        )
    if format_ > NEWEST_FORMAT:
        raise RunFolderError(
            f"this chromatune reads run folders up to format {NEWEST_FORMAT}, but "
            f"{folder.location} has format {format_}; upgrade chromatune"
        )
    rows, broken = last_rows(folder.read("trials.jsonl"))
    run = Run(
        folder=folder,
        info=info,
        config=_read_object(folder, "config.json") or {},
        data=_read_object(folder, "data.json") or {},
        trials=trials_table(rows),
        broken_rows=broken,
    )
    return _with_penalties(run)


def _with_penalties(run: Run) -> Run:
    """Add the penalized objective of trials that ended before there was one."""
    trials = run.trials
    if PENALIZED in trials and not (trials[PENALIZED].isna() & trials["state"].isin(ENDED)).any():
        return run
    stored = trials.get(PENALIZED, pd.Series(index=trials.index, dtype="float64"))
    records = trials.to_dict("records")
    values = [run.comparison.penalized({str(k): v for k, v in row.items()}) for row in records]
    filled = stored.fillna(pd.Series(values, index=trials.index, dtype="float64"))
    column = typed_column(PENALIZED, filled.tolist())
    return replace(run, trials=trials.assign(**{PENALIZED: column}))


def _read_object(folder: Folder, name: str) -> dict[str, Any] | None:
    """Read a JSON object; None where the file is missing."""
    content = folder.read(name)
    if content is None:
        return None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunFolderError(
            f"{name} must be JSON, but {folder.location}/{name} is not ({error}); "
            f"the run's folder is damaged"
        ) from error
    if not isinstance(value, dict):
        raise RunFolderError(
            f"{name} must hold a JSON object, but {folder.location}/{name} holds "
            f"{type(value).__name__}; the run's folder is damaged"
        )
    return value


def _hint(folder: Folder) -> str:
    """Name a run where a folder of runs was given."""
    if isinstance(folder, LocalFolder):
        runs = [name for name in folder.folders() if (folder.path / name / "run.json").is_file()]
        if runs:
            return f"; did you mean {folder.path / runs[0]}?"
    return "; give a folder that `chromatune search` wrote, such as runs/NAME"
