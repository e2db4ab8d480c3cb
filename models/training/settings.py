"""What one training is: every number that changes its result, frozen and checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from data_pipeline.errors import InputError
from models.networks.complexity import MAX_COMPLEXITY
from models.networks.sides import check_side

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16")
#: torch takes seeds of 64 bits
MAXIMUM_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of one adversarial training."""

    #: width c of the generator
    generator_complexity: int = 30
    #: width c of the discriminator
    discriminator_complexity: int = 4
    #: learning rate of the generator's Adam
    generator_lr: float = 4e-4
    #: learning rate of the discriminator's Adam
    discriminator_lr: float = 4e-5
    #: f in `(1 - f) * reconstruction + f * adversarial`; 0 trains without a discriminator
    adversarial_factor: float = 0.1
    #: hold-out: the discriminator is trained every n-th step
    discriminator_every: int = 1
    #: epochs that train the generator on reconstruction alone, before the discriminator joins
    pretrain_epochs: int = 0
    #: step decay: both learning rates are multiplied by this ...
    lr_decay: float = 1.0
    #: ... after each so many epochs
    lr_decay_every_epochs: int = 10
    #: dropout probability of the up blocks of both networks
    dropout: float = 0.5
    #: blur what the generator's transposed convolutions make, against a pixelated look
    smooth_upsampling: bool = False
    #: photos a step
    batch_size: int = 16
    #: pixels a side, a multiple of 32
    image_size: int = 128
    #: half-life, in images, of the moving average of the generator's weights; 0 turns it off
    ema_images: int = 2000
    #: the half-life is never more than this share of the images seen so far, so that early weights
    #: fade; with a large `ema_images` it grows with the training
    ema_share: float = 0.1
    #: weight of the past in the moving average of the losses, a step (0.98 in the report)
    loss_smoothing: float = 0.98
    #: training steps whose mean losses make one row of the curves
    window_steps: int = 10
    #: mirror photos left to right at random
    flip: bool = True
    #: photos are cropped to squares of this share of their area to all of it, at random; 1: not
    crop_area: float = 1.0
    #: arithmetic of the networks; auto: bfloat16 where the device has instructions for it
    precision: Precision = "auto"
    #: seed of weights, data order, flips, crops and dropout
    seed: int = 0
    #: seed of the generator's weights and of all that is drawn while it trains on reconstruction
    #: alone, so that trainings with different seeds may share those epochs; null: `seed`
    pretrain_seed: int | None = None

    def __post_init__(self) -> None:
        check_side(self.image_size)
        for name in ("generator_complexity", "discriminator_complexity"):
            _check_range(name, getattr(self, name), 1, MAX_COMPLEXITY)
        for name in ("discriminator_every", "lr_decay_every_epochs", "window_steps"):
            _check_range(name, getattr(self, name), 1, None)
        for name in ("pretrain_epochs", "ema_images"):
            _check_range(name, getattr(self, name), 0, None)
        _check_range("seed", self.seed, 0, MAXIMUM_SEED)
        if self.pretrain_seed is not None:
            _check_range("pretrain_seed", self.pretrain_seed, 0, MAXIMUM_SEED)
        # BatchNorm needs two values a channel; one photo has only one at the narrowest layer.
        _check_range("batch_size", self.batch_size, 2, None)
        for name in ("adversarial_factor", "dropout", "loss_smoothing"):
            _check_range(name, getattr(self, name), 0.0, 1.0)
        # Smaller ones would be enlarged more than 2.5 times.
        _check_range("crop_area", self.crop_area, 0.1, 1.0)
        for name in ("generator_lr", "discriminator_lr", "lr_decay", "ema_share"):
            value = getattr(self, name)
            _check_number(name, value)
            if not 0.0 < value <= 1.0:
                raise InputError(f"{name} must be above 0 and at most 1, but got {value}")
        for name in ("flip", "smooth_upsampling"):
            if not isinstance(value := getattr(self, name), bool):
                raise InputError(f"{name} must be true or false, but got {value!r}")
        if self.precision not in PRECISIONS:
            raise InputError(
                f"precision must be one of {', '.join(PRECISIONS)}, but got {self.precision!r}"
            )

    @property
    def adversarial(self) -> bool:
        """Whether a discriminator takes part at all."""
        return self.adversarial_factor > 0.0

    @property
    def separate_pretraining(self) -> bool:
        """Whether there are epochs of pre-training with a seed of their own."""
        return self.pretrain_seed is not None and self.pretrain_epochs > 0

    def seed_of(self, epoch: int) -> int:
        """The seed of data order, flips and dropout in an epoch, counted from 0."""
        if self.pretrain_seed is not None and epoch < self.pretrain_epochs:
            return self.pretrain_seed
        return self.seed

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from plain values; unknown keys raise InputError and list the valid ones."""
        valid = [field.name for field in fields(cls)]
        if unknown := sorted(str(name) for name in set(values) - set(valid)):
            raise InputError(
                f"training settings must be among {', '.join(valid)}, but got {', '.join(unknown)}"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """As `to_dict`, for keys of what was trained: those of before a setting came stay valid.

        A later setting that does not have its default is a part of them.
        """
        plain = self.to_dict()
        if self.ema_share == type(self).ema_share:
            del plain["ema_share"]
        return plain


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        # YAML reads 1e-4, without a point, as text.
        raise InputError(f"{name} must be a number, such as 1 or 1.0e-4, but got {value!r}")


def _check_range(name: str, value: float, low: float, high: float | None) -> None:
    _check_number(name, value)
    if isinstance(low, int) and not isinstance(value, int):
        raise InputError(f"{name} must be a whole number, but got {value!r}")
    if not value >= low or (high is not None and not value <= high):
        upper = "" if high is None else f" and at most {high}"
        raise InputError(f"{name} must be at least {low}{upper}, but got {value}")
