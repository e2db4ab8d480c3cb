from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from data_pipeline.split import split_by_content


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


contents = st.lists(st.integers(0, 40), min_size=2, max_size=120).filter(
    lambda numbers: len(set(numbers)) > 1
)


@given(contents, st.floats(0.01, 0.99), st.integers(0, 30))
def test_copies_never_sit_on_both_sides(numbers: list[int], fraction: float, minimum: int) -> None:
    hashes = [digest(number) for number in numbers]
    split = split_by_content(hashes, validation_fraction=fraction, minimum_validation=minimum)
    rows = np.concatenate([split.train, split.validation])
    assert rows.dtype == np.int64
    assert sorted(rows) == list(range(len(hashes)))
    train = {hashes[row] for row in split.train}
    validation = {hashes[row] for row in split.validation}
    assert train
    assert validation
    assert not train & validation


@given(contents, st.randoms())
def test_it_depends_on_the_contents_only(numbers: list[int], random) -> None:
    hashes = [digest(number) for number in numbers]
    shuffled = list(hashes)
    random.shuffle(shuffled)
    one, two = split_by_content(hashes), split_by_content(shuffled)
    assert [hashes[row] for row in one.train] == [shuffled[row] for row in two.train]
    assert [hashes[row] for row in one.validation] == [shuffled[row] for row in two.validation]


def test_a_tenth_is_for_validation_and_few_photos_give_a_quarter_at_most() -> None:
    sizes = {}
    for n in (2, 3, 8, 40, 100, 1000):
        split = split_by_content([digest(number) for number in range(n)])
        sizes[n] = len(split.validation)
    assert sizes == {2: 1, 3: 1, 8: 2, 40: 10, 100: 16, 1000: 100}


def test_most_photos_stay_on_their_side_when_others_join() -> None:
    before = split_by_content([digest(number) for number in range(1000)])
    after = split_by_content([digest(number) for number in range(1100)])
    held_out = set(before.validation)
    assert len(held_out & set(after.validation)) > 0.85 * len(held_out)


def test_the_split_is_not_the_order_of_the_plain_hashes() -> None:
    hashes = sorted(digest(number) for number in range(200))
    assert split_by_content(hashes).validation.max() > 100


@pytest.mark.parametrize("hashes", [[], [digest(1)], [digest(1)] * 5])
def test_fewer_than_two_contents_cannot_be_split(hashes: list[str]) -> None:
    with pytest.raises(InputError, match="at least 2 different photos"):
        split_by_content(hashes)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_the_fraction_lies_between_0_and_1(fraction: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        split_by_content([digest(1), digest(2)], validation_fraction=fraction)
