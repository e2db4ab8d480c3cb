"""The rows of trials.jsonl; their keys are in docs/architecture.md."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from analysis.statistics.curve_summary import summarise_curves
from models.metrics.names import METRICS
from models.metrics.objective import Objective
from models.networks.complexity import network_sizes
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.run.directory import utc_now

if TYPE_CHECKING:
    from optuna.trial import Trial

State = Literal["complete", "pruned", "failed"]

#: keys of a row that the Optuna study keeps as user attributes of the trial
ATTRIBUTES = (
    "reason",
    "device",
    "seed",
    "epochs",
    "steps",
    "best_epoch",
    "feasible",
    "generator_parameters",
    "discriminator_parameters",
    "parameter_ratio",
    "conv_parameter_ratio",
    "multiply_add_ratio",
    "adversarial_drift",
    "adversarial_trend",
    "reconstruction_drift",
    *METRICS,
)


@dataclass(kw_only=True)
class TrialRecord:
    """What a trial's rows are made of."""

    trial_id: str
    settings: TrainingSettings
    started_at: str
    windows: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] | None = None
    #: the trial whose configuration this one trains again with another seed
    repeat_of: str | None = None


@dataclass(kw_only=True)
class OpenTrial(TrialRecord):
    """A trial of a search that has not ended."""

    trial: Trial
    validations: list[dict[str, Any]] = field(default_factory=list)
    #: last epoch in the run's folder; the study may have been told one more before a kill
    reported_epoch: int = 0
    told_epoch: int = 0
    stopped: tuple[State, str] | None = None
    #: how often its process has died since its last report
    deaths: int = 0


def started_row(opened: TrialRecord, config: SearchConfig) -> dict[str, Any]:
    """What is known of a trial when it starts."""
    settings = opened.settings
    sizes = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    return {
        "trial_id": opened.trial_id,
        "state": "running",
        "reason": None,
        "started_at": opened.started_at,
        "phase": "search" if opened.repeat_of is None else "repeat",
        "repeat_of": opened.repeat_of,
        "configuration_id": _configuration_id(settings, config),
        "max_epochs": config.max_epochs,
        **settings.to_dict(),
        **asdict(sizes),
    }


def ended_row(
    opened: TrialRecord,
    config: SearchConfig,
    objective: Objective,
    state: State,
    reason: str | None,
) -> dict[str, Any]:
    """What is known of a trial when it has ended."""
    report = opened.report or {}
    metrics = report.get("best_metrics", {})
    return {
        **started_row(opened, config),
        "state": state,
        "reason": reason,
        "ended_at": utc_now(),
        **{key: report.get(key) for key in ("seconds", "images", "device", "best_epoch")},
        "epochs": report.get("epoch", 0),
        "steps": report.get("step", 0),
        "feasible": objective.feasible(metrics),
        **summarise_curves(opened.windows),
        **{name: metrics.get(name) for name in METRICS},
    }


def _configuration_id(settings: TrainingSettings, config: SearchConfig) -> str:
    """Hash of all that changes a trial's result, except the seed: repeats share it."""
    identity = {key: value for key, value in settings.to_dict().items() if key != "seed"}
    identity |= {"max_epochs": config.max_epochs, "fit": config.fit, "images": config.images}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
