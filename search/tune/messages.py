"""What the driver and the processes of trials say to each other.

Through Ray Tune it goes as plain values: to a trial as Tune's configuration, back as Tune's
results. Both sides parse it once, here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from data_pipeline.split import HashRange
from models.training.report import EpochReport
from models.training.settings import TrainingSettings
from search.tune.file_server import FileServerAddress
from search.tune.trial_directory import RunFiles


@dataclass(frozen=True, kw_only=True)
class TrialJob:
    """What all trials of a search have in common."""

    files: RunFiles
    validation_fraction: float
    test_fraction: float
    max_validation_photos: int
    #: where the contents of the test photos lie
    tested: tuple[HashRange, ...]
    max_epochs: int
    #: metric and guards, as in the configuration
    objective: str
    guards: tuple[str, ...]
    device: str
    #: of a trial, at most
    threads: int
    #: never fewer, so that results are the same bits each time
    fixed_threads: bool


@dataclass(frozen=True, kw_only=True)
class TrialStart:
    """A trial to start or to continue."""

    job: TrialJob
    trial_id: str
    settings: TrainingSettings
    #: the last epoch that the driver has recorded
    reported_epoch: int

    def to_config(self) -> dict[str, object]:
        """Return Tune's configuration of the trial."""
        job = asdict(self.job)
        # Tune makes names of the keys: they must be texts.
        job["tested"] = [each.to_plain() for each in self.job.tested]
        job["files"]["caches"] = {str(size): path for size, path in self.job.files.caches.items()}
        return {
            "job": job,
            "trial_id": self.trial_id,
            "settings": self.settings.to_dict(),
            "reported_epoch": self.reported_epoch,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Read what `to_config` returned; raises InputError for settings that are not valid."""
        files = dict(config["job"]["files"])
        files["caches"] = {int(size): path for size, path in files["caches"].items()}
        if files["server"] is not None:
            files["server"] = FileServerAddress(**files["server"])
        return cls(
            job=TrialJob(
                **{
                    **config["job"],
                    "files": RunFiles(**files),
                    "tested": tuple(map(HashRange.parse, config["job"]["tested"])),
                }
            ),
            trial_id=config["trial_id"],
            settings=TrainingSettings.from_dict(config["settings"]),
            reported_epoch=config["reported_epoch"],
        )


@dataclass(frozen=True, kw_only=True)
class EpochDone:
    """An epoch was trained and validated."""

    report: EpochReport
    device: str
    #: something that a person should hear once
    note: str | None = None


@dataclass(frozen=True)
class TrialFailed:
    """The trial cannot go on; others can."""

    reason: str


@dataclass(frozen=True)
class SearchHalted:
    """No trial can go on until what the reason names is mended."""

    reason: str


Message = EpochDone | TrialFailed | SearchHalted


def to_result(message: Message) -> dict[str, object]:
    """Return Tune's result for a message of a trial."""
    match message:
        case TrialFailed(reason):
            return {"failed": reason, "done": True}
        case SearchHalted(reason):
            return {"halted": reason, "done": True}
        case EpochDone(report=report):
            return {
                "report": report.to_dict(),
                "device": message.device,
                "note": message.note,
                "done": report.done,
            }


def from_result(result: Mapping[str, Any]) -> Message | None:
    """Read what `to_result` returned; None for results that Tune makes by itself."""
    if "failed" in result:
        return TrialFailed(result["failed"])
    if "halted" in result:
        return SearchHalted(result["halted"])
    if "report" in result:
        return EpochDone(
            report=EpochReport.from_dict(result["report"]),
            device=result["device"],
            note=result["note"],
        )
    return None
