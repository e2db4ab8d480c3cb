"""What the epochs depend on in which the generator trains on reconstruction alone."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from models.training.device import Compute
    from models.training.settings import TrainingSettings

#: to be raised when equal settings no longer give equal epochs, or their files change
FORMAT = 1
#: settings without influence on a generator that trains alone; `seed_of` stands for both seeds
WITHOUT_INFLUENCE = (
    "discriminator_complexity",
    "discriminator_lr",
    "adversarial_factor",
    "discriminator_every",
    "pretrain_epochs",
    "seed",
    "pretrain_seed",
)


def stage_key(settings: TrainingSettings) -> str:
    """Equal for trainings on the same photos, validation and device that can share pre-training."""
    plain = settings.identity()
    stage = {name: plain[name] for name in plain if name not in WITHOUT_INFLUENCE}
    return _hash({**stage, "seed": settings.seed_of(0)})


def beginning_key(
    settings: TrainingSettings,
    *,
    photos: str,
    train: npt.NDArray[np.int64],
    validation: npt.NDArray[np.int64],
    compute: Compute,
) -> str:
    """Hash of everything that epochs of pre-training and their validation depend on.

    Not in it: the number of threads, which changes the last bits of sums.

    Args:
        settings: of the training.
        photos: key of their cache.
        train: rows of the cache that train.
        validation: those that validate.
        compute: device, layout and precision.
    """
    sides = [side.astype("<i8").tobytes() for side in (train, validation)]
    rows = [hashlib.sha256(side).hexdigest() for side in sides]
    place = [compute.device.type, str(compute.dtype), str(compute.memory_format)]
    return _hash(
        {"format": FORMAT, "stage": stage_key(settings), "photos": [photos, *rows], "place": place}
    )


def _hash(identity: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
