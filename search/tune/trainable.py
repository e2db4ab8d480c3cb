"""The Tune trainable: a thin shell that carries a `TrialTraining` on a Ray actor.

The actor is reused for one trial after another. What it needs comes in Tune's
configuration: `job` (the same for all trials of a search, see `driver`) and `trial`.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from data_pipeline.cache.build import PhotoCache, open_cache
from data_pipeline.errors import InputError
from data_pipeline.parallel import usable_cores
from data_pipeline.split import Split, split_by_content
from models.metrics.objective import Guard, Objective
from models.training.device import (
    free_device_memory,
    is_device_lost,
    is_out_of_memory,
    resolve_compute,
)
from models.training.loss_window import NonFiniteLossError
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining
from search.run.storage_errors import SearchHaltedError
from search.tune.trial_directory import TrialDirectory, find_trial_directory


@lru_cache(maxsize=8)
def _open_photos(cache_path: str, validation_fraction: float) -> tuple[PhotoCache, Split]:
    cache = open_cache(Path(cache_path))
    return cache, split_by_content(cache.hashes, validation_fraction=validation_fraction)


class _PhotosLostError(RuntimeError):
    """The cache of the photos is gone or damaged: no trial can open it."""


class ColorizerTrainable(tune.Trainable):
    """Each `step` trains and validates one epoch and returns the trial's report."""

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to do; the work, and so any failure, belongs to `step`."""
        self._trial: TrialTraining | None = None
        self._place: TrialDirectory | None = None
        self._config = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial on the same actor."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Leave the workplace of the trial that has ended, and the memory that it took."""
        self._release_trial()
        if self._place is not None:
            self._place.close()

    def step(self) -> dict[str, Any]:
        """Return the report of the next epoch; a failure is a report with the reason."""
        try:
            if self._trial is None:
                self._trial = self._open_trial()
            with _heard_of_fallbacks() as notes:
                report = self._next_report(self._trial)
            self._workplace().deliver()  # first the files, then the word that they are there
            report = {**report, "device": str(self._trial.training.compute)}
            if notes:
                report["note"] = notes[0]
        except NonFiniteLossError as error:
            report = {"failed": f"non-finite loss: {error}"}
        except MemoryError:
            report = {"failed": "out of memory"}
        except (_PhotosLostError, SearchHaltedError) as error:
            report = {"halt": str(error)}
        except OSError as error:
            report = self._report_on(error)
        except Exception as error:
            report = {"failed": f"{type(error).__name__}: {_first_line(error)}"}
            if is_out_of_memory(error):
                report = {"failed": f"out of device memory: {_first_line(error)}"}
            elif not isinstance(error, InputError):
                self._keep_traceback()
            if is_device_lost(error):
                # Every later trial of this process would fail too; this one is taken up again by
                # another process, as after any death.
                os._exit(1)
        if "failed" in report:
            self._release_trial()  # not before: the error held all that the trial had at hand
        result = {"report": report, "done": report.get("done", True)}
        if windows := report.get("windows"):
            # For TensorBoard, which takes numbers, not rows.
            result["losses"] = {k: v for k, v in windows[-1].items() if v is not None}
        return result

    def _next_report(self, trial: TrialTraining) -> dict[str, Any]:
        last, told = trial.last_report, self._config["trial"]["reported_epoch"]
        if last and last["epoch"] > told:
            self._config["trial"]["reported_epoch"] = last["epoch"]
            # The driver died before it heard of this epoch, or the trial is complete already.
            return last
        report = trial.run_epoch()
        self._config["trial"]["reported_epoch"] = report["epoch"]
        return report

    def _workplace(self) -> TrialDirectory:
        if self._place is None:
            self._place = find_trial_directory(
                self._config["job"]["files"], self._config["trial"]["trial_id"]
            )
        return self._place

    def _open_trial(self) -> TrialTraining:
        job, trial = self._config["job"], self._config["trial"]
        # Threads that share a core wait for each other; Ray counts cores that we may not use.
        torch.set_num_threads(min(job["threads"], usable_cores()))
        settings = TrainingSettings.from_dict(trial["settings"])
        place = self._workplace()
        cache_path = place.cache_path(settings.image_size)
        try:
            cache, split = _open_photos(cache_path, job["validation_fraction"])
        except InputError as error:
            raise _PhotosLostError(str(error)) from error
        place.open()
        return TrialTraining(
            place.folder,
            settings=settings,
            max_epochs=job["max_epochs"],
            cache=cache,
            split=split,
            objective=Objective(
                job["objective"], tuple(Guard.parse(text) for text in job["guards"])
            ),
            compute=resolve_compute(job["device"], settings.precision),
            max_validation_photos=job["max_validation_photos"],
            gpu_share=_gpu_share(),
        )

    def _release_trial(self) -> None:
        self._trial = None
        free_device_memory()

    def _report_on(self, error: OSError) -> dict[str, Any]:
        if self._place is None:  # not even a folder to work in
            return {"failed": f"{type(error).__name__}: {_first_line(error)}"}
        failure = self._place.explain(error)
        return {"halt" if failure.halts else "failed": failure.reason}

    def _keep_traceback(self) -> None:
        if self._place is not None and self._place.folder.is_dir():
            text = traceback.format_exc()
            # Whatever hinders it, the reason itself is in the report.
            with suppress(Exception):
                (self._place.folder / "error.txt").write_text(text, encoding="utf-8")
                self._place.deliver()


def _gpu_share() -> float:
    """The part of a GPU that Ray gave this process."""
    resources: dict[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
    return resources.get("GPU", 1.0)


@contextmanager
def _heard_of_fallbacks() -> Iterator[list[str]]:
    """Collect what PyTorch says of operators that the Apple GPU lacks and the CPU takes over.

    It says so once a process, to a log that nobody reads.
    """
    notes: list[str] = []
    with warnings.catch_warnings():
        show = warnings.showwarning

        def listen(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if "will fall back to run on the CPU" in str(message):
                notes.append(str(message).splitlines()[0].partition(" (Triggered")[0])
            else:
                show(message, *args, **kwargs)

        warnings.showwarning = listen
        yield notes


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
