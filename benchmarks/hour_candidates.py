"""The candidates of `benchmarks.hour`: what is trained for an hour of a core, one change a line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from models.metrics.objective import Guard, Objective
from models.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A recipe whose schedule stretches with the number of epochs."""

    #: what is new about it, in a few words
    note: str
    #: all but its seed, its side and what the schedule sets
    settings: TrainingSettings
    #: share of the epochs that trains on L1 alone
    beginning: float = 0.0
    #: both rates are multiplied by `settings.lr_decay` so many times, evenly spread
    decays: int = 0
    #: whatever the time; the settings are then taken as they are, schedule and all
    epochs: int | None = None
    #: as many epochs as this candidate has: they share a beginning, which is trained once
    epochs_of: str | None = None
    #: what chooses the best epoch
    objective: Objective = field(default_factory=Objective)

    def scheduled(self, epochs: int, *, image_size: int, seed: int) -> TrainingSettings:
        """The settings of a training of so many epochs.

        The discriminator's rate is what it has when it joins: the decays until then are undone.
        """
        settings = replace(self.settings, image_size=image_size, seed=seed)
        if self.epochs is not None:
            return settings
        pretrain = round(self.beginning * epochs)
        every = math.ceil(epochs / (self.decays + 1))
        joined_at = settings.lr_decay ** (pretrain // every)
        return replace(
            settings,
            pretrain_epochs=pretrain,
            lr_decay_every_epochs=every,
            discriminator_lr=min(1.0, settings.discriminator_lr / joined_at),
        )


_L1 = TrainingSettings(
    generator_complexity=32, generator_lr=1e-3, adversarial_factor=0.0, lr_decay=0.5
)
#: configs/quality.yaml as it was when docs/quality.md had one seed of it
_EARLIER = replace(
    _L1,
    discriminator_complexity=8,
    discriminator_lr=5e-5,
    adversarial_factor=0.02,
    pretrain_epochs=24,
    lr_decay_every_epochs=12,
)
_EARLIER_OBJECTIVE = Objective(
    "ab_swd",
    tuple(map(Guard.parse, ("grey_skill > 0.05", "ab_hf_ratio > 0.7", "ab_hf_ratio < 1.4"))),
)
_REPORT = TrainingSettings(
    generator_complexity=72,
    discriminator_complexity=14,
    generator_lr=7e-6,
    discriminator_lr=7e-6,
    adversarial_factor=0.1,
)
_REPORT_OBJECTIVE = Objective("ab_swd")
_NEW = TrainingSettings(
    generator_complexity=32,
    generator_lr=1e-3,
    discriminator_complexity=12,
    discriminator_lr=3e-4,
    adversarial_factor=0.03,
    lr_decay=0.5,
    crop_area=0.4,
    # beyond any training: the half-life is always a share of the images seen
    ema_images=10**9,
    ema_share=0.1,
)


def _new(
    note: str, *, beginning: float = 0.6, shares: bool = False, **changes: int | float
) -> Candidate:
    """The new recipe with one change; `shares` its beginning, where the change comes later."""
    return Candidate(
        note=note,
        settings=replace(_NEW, **changes),  # type: ignore[arg-type]
        beginning=beginning,
        decays=3,
        epochs_of="new" if shares else None,
    )


CANDIDATES: dict[str, Candidate] = {
    "l1": Candidate(note="L1 alone", settings=_L1, decays=2),
    "l1-crops": Candidate(note="L1 alone, crops", settings=replace(_L1, crop_area=0.4), decays=2),
    "earlier": Candidate(
        note="the earlier quality.yaml, its 36 epochs",
        settings=_EARLIER,
        epochs=36,
        objective=_EARLIER_OBJECTIVE,
    ),
    "report": Candidate(
        note="the report's 72 against 14, its 14 epochs",
        settings=_REPORT,
        epochs=14,
        objective=_REPORT_OBJECTIVE,
    ),
    "report-balanced": Candidate(
        note="72 against 43: at 128 px a ratio of 0.81",
        settings=replace(_REPORT, discriminator_complexity=43),
        epochs=14,
        objective=_REPORT_OBJECTIVE,
    ),
    "new": _new("60 % L1 on crops, then a discriminator that judges"),
    "new-whole": _new("whole photos, no crops", crop_area=1.0),
    "new-begin-40": _new("40 % L1", beginning=0.4),
    "new-begin-75": _new("75 % L1", beginning=0.75),
    "new-width-48": _new("width 48", generator_complexity=48),
    "new-width-64": _new("width 64", generator_complexity=64),
    "new-batch-8": _new("batch 8", batch_size=8),
    "new-batch-32": _new("batch 32", batch_size=32),
    "new-average-2000": _new("average of 2,000 images", ema_images=2000),
    "new-average-5": _new("average of 5 % of the images", ema_share=0.05),
    "new-judge-8": _new("discriminator of width 8", shares=True, discriminator_complexity=8),
    "new-judge-16": _new("discriminator of width 16", shares=True, discriminator_complexity=16),
    "new-factor-02": _new("factor 0.02", shares=True, adversarial_factor=0.02),
    "new-factor-05": _new("factor 0.05", shares=True, adversarial_factor=0.05),
}
