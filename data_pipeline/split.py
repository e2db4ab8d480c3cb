"""Training, validation and test photos, divided by content so that no copy sits on two sides."""

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
    """Row numbers of a cache, int64; each row is on exactly one side.

    Photos of `validation` choose epochs, trials and configurations; those of `test` choose nothing
    and say what the choice is worth.
    """

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]


def split_by_content(
    hashes: Sequence[str],
    *,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.0,
    minimum_validation: int = 16,
) -> Split:
    """Divide photos by their content hashes; it depends on the set of contents only.

    The k contents with the lowest salted hashes are for validation and the next m for testing, with
    all their copies. k is `validation_fraction` of the distinct contents, but at least
    `minimum_validation` unless that is more than a quarter of them, and at least 1; m is
    `test_fraction` of them, but at least `minimum_validation` unless that is more than an eighth,
    and none if the fraction is 0. All sides come in the order of the salted hashes.

    Raises:
        InputError: fewer than two distinct photos, a validation fraction that is not between 0 and
            1, a negative test fraction, or fractions that leave nothing to train on.
    """
    if not 0 < validation_fraction < 1:
        raise InputError(
            f"validation_fraction must be between 0 and 1, but got {validation_fraction}: take 0.1"
        )
    if not 0 <= test_fraction < 1 - validation_fraction:
        raise InputError(
            "test_fraction must be at least 0 and leave photos to train on beside "
            f"validation_fraction {validation_fraction}, but got {test_fraction}: take 0.1"
        )
    # 64 bits of the salted hash: contents that share them by chance would only stay together.
    salted = np.fromiter((_salted(content) for content in hashes), np.uint64, count=len(hashes))
    distinct = np.unique(salted)
    n = len(distinct)
    if n < 2:
        raise InputError(f"a split needs at least 2 different photos, but got {n}: add photos")
    n_validation = max(round(validation_fraction * n), min(minimum_validation, n // 4), 1)
    n_validation = min(n_validation, n - 1)
    n_test = max(round(test_fraction * n), min(minimum_validation, n // 8)) if test_fraction else 0
    n_test = min(n_test, n - 1 - n_validation)
    order = np.argsort(salted, kind="stable").astype(np.int64)
    # With all copies of the contents on either side of them.
    ends = np.searchsorted(
        salted[order], distinct[[n_validation - 1, n_validation + n_test - 1]], "right"
    )
    validation, test, train = np.split(order, ends)
    return Split(train=train, validation=validation, test=test)


def _salted(content: str) -> int:
    return int.from_bytes(hashlib.sha256(_SALT + content.encode()).digest()[:8], "big")
