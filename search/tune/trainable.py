"""The Tune trainable: a thin shell that carries a `TrialTraining` on a Ray actor.

The actor is reused for one trial after another.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from data_pipeline.cache.build import PhotoCache, open_cache
from data_pipeline.durable import replace_file
from data_pipeline.errors import InputError
from data_pipeline.parallel import usable_cores
from data_pipeline.split import HashRange, Split, split_by_content
from models.accelerator.thread_choice import with_adaptive_threads
from models.file_names import ERROR
from models.metrics.objective import Guard, Objective
from models.training.device import (
    free_device_memory,
    is_device_lost,
    is_out_of_memory,
    resolve_compute,
)
from models.training.loss_window import NonFiniteLossError
from models.training.report import EpochReport
from models.training.trial import TrialTraining
from search.run.storage_errors import SearchHaltedError
from search.tune.messages import (
    EpochDone,
    Message,
    SearchHalted,
    TrialFailed,
    TrialStart,
    to_result,
)
from search.tune.trial_directory import TrialDirectory, find_trial_directory


@lru_cache(maxsize=8)
def _open_photos(
    cache_path: str,
    validation_fraction: float,
    test_fraction: float,
    tested: tuple[HashRange, ...],
) -> tuple[PhotoCache, Split]:
    cache = open_cache(Path(cache_path))
    split = split_by_content(
        cache.hashes,
        validation_fraction=validation_fraction,
        test_fraction=test_fraction,
        tested=tested,
    )
    return cache, split


class _PhotosLostError(RuntimeError):
    """The cache of the photos is gone or damaged: no trial can open it."""


class ColorizerTrainable(tune.Trainable):
    """Each `step` trains and validates one epoch and returns its message as Tune's result."""

    def setup(self, config: Mapping[str, Any]) -> None:
        """Note what to do; the work, and so any failure, belongs to `step`."""
        self._config = config
        self._start: TrialStart | None = None
        self._directory: TrialDirectory | None = None
        self._trial: TrialTraining | None = None
        self._reported_epoch = 0

    def reset_config(self, new_config: Mapping[str, Any]) -> bool:
        """Take the next trial on the same actor."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Leave the folder of the trial that has ended, and the memory that it took."""
        self._release_trial()
        if self._directory is not None:
            self._directory.close()

    def step(self) -> dict[str, object]:
        """Return the report of the next epoch; a failure is a message with its reason."""
        message = self._next_message()
        if isinstance(message, TrialFailed):
            self._release_trial()  # not before: the error held all that the trial had at hand
        return to_result(message)

    def _next_message(self) -> Message:
        try:
            if self._trial is None:
                self._trial = self._open_trial()
            with _fallback_warnings() as notes:
                report = self._next_report(self._trial)
            self._open_directory().deliver()  # first the files, then the word that they are there
        except NonFiniteLossError as error:
            return TrialFailed(f"non-finite loss: {error}")
        except MemoryError:
            return TrialFailed("out of memory")
        except (_PhotosLostError, SearchHaltedError) as error:
            return SearchHalted(str(error))
        except OSError as error:
            if self._directory is not None:
                failure = self._directory.explain(error)
                return (SearchHalted if failure.halts else TrialFailed)(failure.reason)
            # Not even a folder to work in.
            return TrialFailed(f"{type(error).__name__}: {_first_line(error)}")
        except Exception as error:
            if is_out_of_memory(error):
                return TrialFailed(f"out of device memory: {_first_line(error)}")
            if not isinstance(error, InputError):
                self._keep_traceback()
            if is_device_lost(error):
                # Every later trial of this process would fail too; this one is continued by
                # another process, as after any death.
                os._exit(1)
            return TrialFailed(f"{type(error).__name__}: {_first_line(error)}")
        device = str(self._trial.training.compute)
        return EpochDone(report=report, device=device, note=notes[0] if notes else None)

    def _next_report(self, trial: TrialTraining) -> EpochReport:
        report = trial.last_report
        if report is None or report.epoch <= self._reported_epoch:
            report = trial.run_epoch(on_step=self._open_directory().progress_file())
        # Else the driver died before it heard of this epoch, or the trial is complete already.
        self._reported_epoch = report.epoch
        return report

    def _open_directory(self) -> TrialDirectory:
        if self._directory is None:
            start = self._parsed_start()
            self._directory = find_trial_directory(start.job.files, start.trial_id)
        return self._directory

    def _parsed_start(self) -> TrialStart:
        if self._start is None:
            self._start = TrialStart.from_config(self._config)
            self._reported_epoch = self._start.reported_epoch
        return self._start

    def _open_trial(self) -> TrialTraining:
        start = self._parsed_start()
        job, settings = start.job, start.settings
        # Threads that share a core wait for each other; Ray counts cores that we may not use.
        torch.set_num_threads(min(job.threads, usable_cores()))
        directory = self._open_directory()
        cache_path = directory.cache_path(settings.image_size)
        try:
            cache, split = _open_photos(
                cache_path, job.validation_fraction, job.test_fraction, job.tested
            )
        except InputError as error:
            raise _PhotosLostError(str(error)) from error
        directory.open()
        compute = resolve_compute(job.device, settings.precision)
        return TrialTraining(
            directory.folder,
            settings=settings,
            max_epochs=job.max_epochs,
            cache=cache,
            split=split,
            objective=Objective(job.objective, tuple(Guard.parse(text) for text in job.guards)),
            compute=compute if job.fixed_threads else with_adaptive_threads(compute),
            max_validation_photos=job.max_validation_photos,
            gpu_share=_gpu_share(),
            beginnings=directory.beginnings if settings.separate_pretraining else None,
        )

    def _release_trial(self) -> None:
        self._trial = None
        free_device_memory()

    def _keep_traceback(self) -> None:
        if self._directory is not None and self._directory.folder.is_dir():
            text = traceback.format_exc()
            # Whatever hinders it, the reason itself is in the report.
            with suppress(Exception):
                replace_file(self._directory.folder / ERROR, text.encode())
                self._directory.deliver()


def _gpu_share() -> float:
    """The part of a GPU that Ray gave this process."""
    resources: dict[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
    return resources.get("GPU", 1.0)


@contextmanager
def _fallback_warnings() -> Iterator[list[str]]:
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
