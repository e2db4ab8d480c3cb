"""Training, validation and test photos, divided by content so that no copy sits on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from data_pipeline.errors import InputError

# Another order than that of the plain hashes, in which the cache keeps its rows.
_SALT = b"chromatune split 1"


@dataclass(frozen=True)
class HashRange:
    """Contents whose salted hashes, numbers of 64 bits, are from `low` to `high`, both included."""

    low: int
    high: int

    @classmethod
    def parse(cls, plain: Sequence[str]) -> Self:
        """Read what `to_plain` returned; raises InputError for anything else."""
        try:
            low, high = (int(text, 16) for text in plain)
            if not 0 <= low <= high < 2**64:
                raise ValueError
        except (TypeError, ValueError):
            raise InputError(
                "a range of content hashes must be two numbers of 16 hexadecimal digits, the lower "
                f"one first, but got {plain!r}"
            ) from None
        return cls(low, high)

    def to_plain(self) -> list[str]:
        """Return texts that JSON can hold; its numbers have fewer digits."""
        return [f"{self.low:016x}", f"{self.high:016x}"]


@dataclass(frozen=True)
class Split:
    """Row numbers of a cache, int64; each row is on exactly one side.

    Photos of `validation` choose epochs, trials and configurations; those of `test` choose nothing
    and say what the choice is worth.
    """

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    #: where the contents of the test photos lie, and no others
    tested: tuple[HashRange, ...] = ()


def split_by_content(
    hashes: Sequence[str],
    *,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.0,
    minimum_validation: int = 16,
    tested: Sequence[HashRange] = (),
) -> Split:
    """Divide photos by their content hashes; it depends on the set of contents only.

    The k contents with the lowest salted hashes are for validation and the next m for testing, with
    all their copies. k is `validation_fraction` of the distinct contents, but at least
    `minimum_validation` unless that is more than a quarter of them, and at least 1; m is
    `test_fraction` of them, but at least `minimum_validation` unless that is more than an eighth,
    and none if the fraction is 0. All sides come in the order of the salted hashes.

    Contents in `tested`, the ranges of an earlier split, are for testing again, however many other
    photos have come or gone. They count for m, and none of them for k; an equal set of contents is
    split as it was.

    Raises:
        InputError: fewer than two distinct photos besides those that were `tested`, a validation
            fraction that is not between 0 and 1, a negative test fraction, or fractions that leave
            nothing to train on.
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
    is_test = np.zeros(n, dtype=np.bool_)
    for each in tested:
        is_test |= (distinct >= np.uint64(each.low)) & (distinct <= np.uint64(each.high))
    free = np.flatnonzero(~is_test)
    if len(free) < 2:
        withheld = f" besides {n - len(free)} that were tested on" if n > len(free) else ""
        raise InputError(
            f"a split needs at least 2 different photos{withheld}, but got {len(free)}: add photos"
        )
    n_validation = max(round(validation_fraction * n), min(minimum_validation, n // 4), 1)
    n_validation = min(n_validation, len(free) - 1)
    n_test = max(round(test_fraction * n), min(minimum_validation, n // 8)) if test_fraction else 0
    n_more = min(max(0, n_test - (n - len(free))), len(free) - 1 - n_validation)
    more = free[n_validation : n_validation + n_more]
    is_test[more] = True
    ranges = tuple(tested)
    if n_more:
        ranges += (HashRange(int(distinct[more[0]]), int(distinct[more[-1]])),)
    is_validation = np.zeros(n, dtype=np.bool_)
    is_validation[free[:n_validation]] = True
    order = np.argsort(salted, kind="stable").astype(np.int64)
    # With all copies of the contents on the sides of these.
    content = np.searchsorted(distinct, salted[order])
    return Split(
        train=order[~(is_validation | is_test)[content]],
        validation=order[is_validation[content]],
        test=order[is_test[content]],
        tested=ranges,
    )


def _salted(content: str) -> int:
    return int.from_bytes(hashlib.sha256(_SALT + content.encode()).digest()[:8], "big")
