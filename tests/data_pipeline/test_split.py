from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from data_pipeline.split import HashRange, split_by_content


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


contents = st.lists(st.integers(0, 40), min_size=2, max_size=120).filter(
    lambda numbers: len(set(numbers)) > 1
)


@given(contents, st.floats(0.01, 0.98), st.floats(0, 1), st.integers(0, 30))
def test_copies_never_sit_on_two_sides(
    numbers: list[int], fraction: float, of_the_rest: float, minimum: int
) -> None:
    hashes = [digest(number) for number in numbers]
    split = split_by_content(
        hashes,
        validation_fraction=fraction,
        test_fraction=0.99 * of_the_rest * (1 - fraction),
        minimum_validation=minimum,
    )
    rows = np.concatenate([split.train, split.validation, split.test])
    assert rows.dtype == np.int64
    assert sorted(rows) == list(range(len(hashes)))
    train, validation, test = (
        {hashes[row] for row in side} for side in (split.train, split.validation, split.test)
    )
    assert train
    assert validation
    assert not train & validation
    assert not train & test
    assert not validation & test


@given(contents, st.floats(0.01, 0.5))
def test_a_test_set_takes_nothing_from_validation(numbers: list[int], fraction: float) -> None:
    # Runs from before there was a test set go on with the photos they had.
    hashes = [digest(number) for number in numbers]
    without = split_by_content(hashes, validation_fraction=fraction)
    with_it = split_by_content(hashes, validation_fraction=fraction, test_fraction=0.2)
    assert (without.validation == with_it.validation).all()
    assert (without.train == np.concatenate([with_it.test, with_it.train])).all()
    assert len(without.test) == 0


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


def test_a_tenth_is_for_testing_and_few_photos_give_an_eighth_at_most() -> None:
    sizes = {}
    for n in (2, 3, 8, 40, 100, 1000):
        split = split_by_content([digest(number) for number in range(n)], test_fraction=0.1)
        sizes[n] = len(split.test)
    assert sizes == {2: 0, 3: 0, 8: 1, 40: 5, 100: 12, 1000: 100}


@pytest.mark.parametrize("fraction", [-0.1, 0.9, 1, float("nan")])
def test_a_test_set_leaves_photos_to_train_on(fraction: float) -> None:
    with pytest.raises(InputError, match="test_fraction must be"):
        split_by_content([digest(1), digest(2)], test_fraction=fraction)


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


@given(contents, st.lists(st.integers(41, 90), max_size=60), st.floats(0.01, 0.4))
def test_what_was_tested_on_stays_that_whatever_photos_come_or_go(
    numbers: list[int], others: list[int], fraction: float
) -> None:
    hashes = [digest(number) for number in numbers]
    before = split_by_content(hashes, validation_fraction=0.2, test_fraction=fraction)
    again = split_by_content(
        hashes, validation_fraction=0.2, test_fraction=fraction, tested=before.tested
    )
    for side in ("train", "validation", "test"):
        assert (getattr(again, side) == getattr(before, side)).all()
    assert again.tested == before.tested
    tested = {hashes[row] for row in before.test}
    # Half of the photos go and others come.
    more = hashes[::2] + [digest(number) for number in others]
    if len(set(more) - tested) < 4:
        return
    try:
        after = split_by_content(
            more, validation_fraction=0.2, test_fraction=fraction, tested=before.tested
        )
    except InputError:
        assert len(set(more)) < 60  # nearly all others lie where the tested ones do
        return
    for side in (after.train, after.validation):
        assert not tested & {more[row] for row in side}
    rows = np.concatenate([after.train, after.validation, after.test])
    assert sorted(rows) == list(range(len(more)))
    # What a third training takes over covers both.
    third = split_by_content(
        more, validation_fraction=0.2, test_fraction=fraction, tested=after.tested
    )
    assert (third.train == after.train).all()


@pytest.mark.parametrize("plain", [["1"], ["2", "1"], ["x", "y"], [1, 2], None, ["0", "1" * 17]])
def test_a_damaged_range_of_hashes_is_refused(plain: Any) -> None:
    with pytest.raises(InputError, match="16 hexadecimal digits"):
        HashRange.parse(plain)
    assert HashRange.parse(HashRange(3, 2**64 - 1).to_plain()) == HashRange(3, 2**64 - 1)
