"""The rows of trials.jsonl; their keys are in docs/architecture.md."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from analysis.statistics.curve_summary import summarise_curves
from models.beginnings.identity import stage_key
from models.metrics.names import METRICS
from models.metrics.unseen import columns_of_row
from models.networks.complexity import network_sizes
from models.training.report import EpochReport, LossRow
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.run.directory import utc_now
from search.space import NAMES

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

State = Literal["complete", "pruned", "failed"]
#: a row of trials.jsonl or validation.jsonl, as it is read
Row = Mapping[str, Any]

#: keys of a row that the Optuna study keeps as user attributes of the trial
ATTRIBUTES = (
    "reason",
    "device",
    "seed",
    "epochs",
    "steps",
    "best_epoch",
    "feasible",
    "penalized_objective",
    "generator_parameters",
    "discriminator_parameters",
    "parameter_ratio",
    "conv_parameter_ratio",
    "multiply_add_ratio",
    "adversarial_drift",
    "adversarial_trend",
    "reconstruction_drift",
    "discriminator_auc",
    *METRICS,
)


class TrialOutcome(NamedTuple):
    """How a trial ended, or will end when it is finished next."""

    state: State
    #: in one line; None for a complete trial
    reason: str | None = None


@dataclass(kw_only=True)
class TrialRecord:
    """What a trial's rows are made of."""

    trial_id: str
    settings: TrainingSettings
    started_at: str
    #: the rows of losses of all epochs
    windows: list[LossRow] = field(default_factory=list)
    #: the last one
    report: EpochReport | None = None
    device: str | None = None
    #: the trial whose configuration this one trains again with another seed
    repeat_of: str | None = None

    @property
    def best_metrics(self) -> Mapping[str, float]:
        """The validation metrics of its best epoch; empty before the first one."""
        return self.report.best_metrics if self.report else {}


@dataclass(kw_only=True)
class OpenTrial(TrialRecord):
    """A trial of a search that has not ended."""

    trial: Trial
    #: last epoch in the run's folder; the study may have a value of one more after a kill
    reported_epoch: int = 0
    study_epoch: int = 0
    #: set when it is to stop before all its epochs are trained
    stopped: TrialOutcome | None = None
    #: how often its process has died since its last report
    deaths: int = 0
    #: equal for trials that share a beginning; None for one that shares none
    stage: str | None = field(init=False)

    def __post_init__(self) -> None:
        shares = self.settings.separate_pretraining
        self.stage = stage_key(self.settings) if shares else None

    def trains_for(self, other: OpenTrial, *, trained: int) -> bool:
        """Whether `other` needs epochs of a beginning that this trial, which runs, is to train.

        `trained`: how many of the beginning are known to be trained.
        """
        if self.stage is None or self.stage != other.stage or self.stopped:
            return False
        shared = min(self.settings.pretrain_epochs, other.settings.pretrain_epochs)
        return max(trained, self.reported_epoch, other.reported_epoch) < shared

    @property
    def done(self) -> bool:
        """Whether all its epochs are trained."""
        return self.report is not None and self.report.done

    @property
    def outcome(self) -> TrialOutcome:
        """How it ends if it is finished now."""
        if self.stopped:
            return self.stopped
        return (
            TrialOutcome("complete")
            if self.done
            else TrialOutcome("failed", "ended without a report")
        )


def training_settings(
    trial: Trial | FrozenTrial, config: SearchConfig, started: Row | None = None
) -> TrainingSettings:
    """What the parameters of a trial ask for.

    `started` is the row of its start, if there is one: an earlier version may have started it.
    """
    # Trials of a search share a seed for weights and data order only by chance ...
    seed = (config.seed * 7919 + trial.number) % 2**31
    settings = config.space.settings(trial.params, seed=seed)
    if started is not None:
        return replace(settings, pretrain_seed=started.get("pretrain_seed"))
    # ... except where they share a beginning. A repeat is to show the chance in all of it.
    shares = config.space.shares_beginnings and settings.pretrain_epochs > 0
    if shares and trial.user_attrs.get("repeat_of") is None:
        return replace(settings, pretrain_seed=config.seed * 7919 % 2**31)
    return settings


def divergence(metrics: Mapping[str, float], objectives: Iterable[str]) -> TrialOutcome | None:
    """The failure of a trial whose validation gave no finite value of an objective."""
    for metric in objectives:
        value = metrics.get(metric)
        if value is None or not math.isfinite(value):
            return TrialOutcome("failed", f"{metric} was {value} after an epoch")
    return None


def started_row(record: TrialRecord, config: SearchConfig) -> Row:
    """What is known of a trial when it starts."""
    settings = record.settings
    sizes = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    return {
        "trial_id": record.trial_id,
        "state": "running",
        "reason": None,
        "started_at": record.started_at,
        "phase": "search" if record.repeat_of is None else "repeat",
        "repeat_of": record.repeat_of,
        "configuration_id": _configuration_id(settings, config),
        "max_epochs": config.max_epochs,
        **settings.to_dict(),
        **asdict(sizes),
    }


def ended_row(record: TrialRecord, config: SearchConfig, outcome: TrialOutcome) -> Row:
    """What is known of a trial when it has ended."""
    report, metrics = record.report, record.best_metrics
    objective = config.make_objective()
    return {
        **started_row(record, config),
        "state": outcome.state,
        "reason": outcome.reason,
        "ended_at": utc_now(),
        "seconds": report and report.seconds,
        "images": report and report.images,
        "device": record.device,
        "best_epoch": report and report.best_epoch,
        "epochs": report.epoch if report else 0,
        "steps": report.step if report else 0,
        "feasible": objective.feasible(metrics),
        "penalized_objective": objective.penalized(metrics),
        "shared_epochs": report.shared_epochs if report else 0,
        "seconds_saved": report.seconds_saved if report else 0.0,
        **summarise_curves(record.windows),
        # Like the trend, of where the training ended, not of the best epoch.
        "discriminator_auc": report.discriminator_auc if report else None,
        **{name: metrics.get(name) for name in METRICS},
        **columns_of_row(objective.guards, report.test if report else {}),
    }


def _configuration_id(settings: TrainingSettings, config: SearchConfig) -> str:
    """Hash of all that changes a trial's result, except the seeds: repeats share it."""
    identity = {key: value for key, value in settings.identity().items() if key in NAMES}
    if settings.crop_area == 1:
        del identity["crop_area"]  # runs of before there were crops keep their identities
    identity |= {"max_epochs": config.max_epochs, "fit": config.fit, "images": config.images}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
