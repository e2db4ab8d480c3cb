from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from models.networks.sides import check_side


@given(st.integers(1, 64))
def test_multiples_of_32_are_accepted(multiple: int) -> None:
    check_side(32 * multiple)


@given(st.integers(-100, 5000).filter(lambda side: side <= 0 or side % 32))
def test_the_remedy_for_other_sides_works(side: int) -> None:
    with pytest.raises(InputError) as caught:
        check_side(side, "--image-size")
    message = str(caught.value)
    assert message.startswith("--image-size must be a positive multiple of 32 pixels, but got")
    assert f"got {side};" in message
    lower, upper = (int(word) for word in message.split("use ")[1].split(" or "))
    check_side(lower)
    check_side(upper)
    assert side < upper
    assert lower == max(32, side - side % 32)


@pytest.mark.parametrize("side", [64.0, "64", None, True, float("nan")])
def test_only_whole_numbers_are_sides(side: int) -> None:
    with pytest.raises(InputError, match="multiple of 32"):
        check_side(side)
