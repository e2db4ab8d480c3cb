"""TensorBoard event files of the trials: every window's losses, metrics, settings, sample grids."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from ray.tune import Callback
from ray.tune.experiment import Trial
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.summary import hparams

from models.file_names import ORIGINALS, SAMPLES
from models.metrics.names import METRICS
from models.training.settings import TrainingSettings
from search.tune.messages import EpochDone, TrialStart, from_result

#: how far a window is, not what was measured in it
_COUNTERS = ("step", "epoch", "images", "seconds")
_PICTURES = (SAMPLES, ORIGINALS)


class TensorBoardCallback(Callback):
    """Writes what trials report, by training step, to a folder a trial.

    Args:
        folder: gets one folder for each trial.
        trials_folder: where trials leave their pictures.
    """

    def __init__(self, folder: Path, trials_folder: Path) -> None:
        self._folder = folder
        self._trials_folder = trials_folder
        # Not tensorboardX's usual writer: its thread would print a trace when the disk is full.
        self._writers: dict[str, EventsWriter] = {}
        #: of the open trials, the last epoch and step that were written
        self._reached: dict[str, tuple[int, int]] = {}

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Write an epoch: its windows and its validation."""
        start, message = TrialStart.from_config(trial.config), from_result(result)
        if not isinstance(message, EpochDone):
            return
        trial_id, report = start.trial_id, message.report
        epoch, _ = self._reached.get(trial_id, (start.reported_epoch, 0))
        if report.epoch <= epoch:  # a trial that is continued may repeat an epoch
            return
        if trial_id not in self._writers:
            self._open(trial_id, start.settings)
        writer = self._writers[trial_id]
        for window in report.windows:
            losses = {_tag(key): window[key] for key in window if key not in _COUNTERS}
            writer.write_event(_event(_scalars(losses), int(window["step"] or 0)))
        measured = {**report.metrics, "discriminator_auc": report.discriminator_auc}
        metrics = {f"metrics/{name}": value for name, value in measured.items()}
        writer.write_event(_event(_scalars(metrics), report.step))
        writer.flush()
        self._reached[trial_id] = report.epoch, report.step

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        """Write the pictures of the best epoch, and that the trial has ended."""
        self._end(trial.config["trial_id"])

    on_trial_error = on_trial_complete

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """End what is still open."""
        for trial_id in list(self._writers):
            self._end(trial_id)

    def _open(self, trial_id: str, settings: TrainingSettings) -> None:
        folder = self._folder / trial_id
        folder.mkdir(parents=True, exist_ok=True)
        # Its own name has whole seconds: a trial that is continued at once keeps both files.
        suffix = f".{secrets.token_hex(4)}"
        writer = self._writers[trial_id] = EventsWriter(str(folder / "events"), suffix)
        experiment, start, _ = hparams(
            settings.to_dict(), {f"metrics/{name}": None for name in METRICS}
        )
        writer.write_event(_event(experiment, 0))
        writer.write_event(_event(start, 0))

    def _end(self, trial_id: str) -> None:
        writer = self._writers.pop(trial_id, None)
        if writer is None:
            return
        # A full disk may have kept the first epoch from being written.
        _, step = self._reached.pop(trial_id, (0, 0))
        for name in _PICTURES:
            path = self._trials_folder / trial_id / name
            if path.is_file():
                writer.write_event(_event(_picture(path.stem, path.read_bytes()), step))
        *_, end = hparams({}, {})
        writer.write_event(_event(end, step))
        writer.close()


def _tag(key: str) -> str:
    if key.startswith("probability_"):
        return f"probabilities/{key.removeprefix('probability_')}"
    return f"losses/{key}"


def _event(summary: Summary, step: int) -> Event:
    return Event(wall_time=time.time(), step=step, summary=summary)


def _scalars(values: Mapping[str, float | None]) -> Summary:
    return Summary(
        value=[
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()
            if value is not None
        ]
    )


def _picture(tag: str, png: bytes) -> Summary:
    """The file's own bytes: nothing is encoded again."""
    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    return Summary(value=[Summary.Value(tag=tag, image=image)])
