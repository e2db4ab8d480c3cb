"""Training and validation photos, divided by content so that no copy sits on both sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_pipeline.errors import InputError

# Another order than that of the plain hashes, in which the cache keeps its rows.
_SALT = b"chromatune split 1"


@dataclass(frozen=True)
class Split:
    """Row numbers of a cache, int64; each row is on exactly one side."""

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]


def split_by_content(
    hashes: Sequence[str], *, validation_fraction: float = 0.1, minimum_validation: int = 16
) -> Split:
    """Divide photos by their content hashes; it depends on the set of contents only.

    The k contents with the lowest salted hashes are for validation, with all their copies; k is
    `validation_fraction` of the distinct contents, but at least `minimum_validation` unless that is
    more than a quarter of them, and at least 1. Both sides come in the order of the salted hashes.

    Raises:
        InputError: fewer than two distinct photos, or a fraction not between 0 and 1.
    """
    if not 0 < validation_fraction < 1:
        raise InputError(
            f"validation_fraction must be between 0 and 1, but got {validation_fraction}: take 0.1"
        )
    # 64 bits of the salted hash: contents that share them by chance would only stay together.
    salted = np.fromiter((_salted(content) for content in hashes), np.uint64, count=len(hashes))
    distinct = np.unique(salted)
    if len(distinct) < 2:
        raise InputError(
            f"a split needs at least 2 different photos, but got {len(distinct)}: add photos"
        )
    wanted = max(
        round(validation_fraction * len(distinct)), min(minimum_validation, len(distinct) // 4), 1
    )
    last = distinct[min(wanted, len(distinct) - 1) - 1]
    rows = np.argsort(salted, kind="stable").astype(np.int64)
    n_validation = int((salted <= last).sum())
    return Split(train=rows[n_validation:], validation=rows[:n_validation])


def _salted(content: str) -> int:
    return int.from_bytes(hashlib.sha256(_SALT + content.encode()).digest()[:8], "big")
