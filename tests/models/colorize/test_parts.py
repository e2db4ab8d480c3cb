"""The parts of colorizing: enlarging, the guided fit, squares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.colorize.chroma_field import (
    enlarge_columns,
    enlarge_rows,
    enlarging_weights,
    fit_chroma,
)
from models.colorize.prediction import cut_squares, join_squares, network_size


@settings(max_examples=60, deadline=None)
@given(n_in=st.integers(1, 40), n_out=st.integers(1, 300), data=st.data())
def test_enlarging_in_parts_is_enlarging_at_once(
    n_in: int, n_out: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, n_out - 1))
    stop = data.draw(st.integers(start + 1, n_out))
    samples = np.random.default_rng(n_in).normal(size=n_in).astype(np.float32)
    first, weights = enlarging_weights(n_in, n_out, 0, n_out)
    whole = weights @ samples[first : first + weights.shape[1]]
    first, weights = enlarging_weights(n_in, n_out, start, stop)
    part = weights @ samples[first : first + weights.shape[1]]
    np.testing.assert_allclose(part, whole[start:stop], atol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("h", "w"), [(13, 20), (128, 171), (1, 5)])
@pytest.mark.parametrize(("height", "width"), [(6, 9), (50, 50), (301, 402)])
def test_enlarging_is_that_of_pillow(h: int, w: int, height: int, width: int) -> None:
    """`Image.resize` in mode F, of a photo whose outermost samples go on beyond its ends."""
    planes = np.random.default_rng(0).normal(size=(4, h, w)).astype(np.float32)
    margin = 2 * max(h, w)
    columns = enlarge_columns(planes, width, 0, width)
    ours = enlarge_rows(columns, height, 0, height).transpose(1, 0, 2)
    for plane, enlarged in zip(planes, ours, strict=True):
        expected = Image.fromarray(np.pad(plane, margin, mode="edge")).resize(
            (width, height),
            Image.Resampling.BICUBIC,
            box=(margin, margin, margin + w, margin + h),
        )
        np.testing.assert_allclose(enlarged, np.asarray(expected), atol=2e-4)


def enlarge(field, height: int, width: int):  # type: ignore[no-untyped-def]
    columns = enlarge_columns(field.planes_4hw, width, 0, width)
    return enlarge_rows(columns, height, 0, height).transpose(1, 0, 2)


def test_fit_at_its_own_size_gives_the_network_s_answer_back() -> None:
    rng = np.random.default_rng(0)
    L = rng.uniform(0, 100, (20, 30)).astype(np.float32)
    ab = rng.normal(0, 20, (2, 20, 30)).astype(np.float32)
    planes = enlarge(fit_chroma(L, ab, height=20, width=30), 20, 30)
    np.testing.assert_allclose(planes[0] * L + planes[1], ab[0], atol=1e-3)
    np.testing.assert_allclose(planes[2] * L + planes[3], ab[1], atol=1e-3)


def test_colours_do_not_bleed_over_an_outline() -> None:
    """A bright and a dark half of different chroma: the border stays where lightness has it."""
    height, width, h, w = 320, 480, 32, 48
    edge = 233  # not on a border of the network's pixels
    L = np.where(np.arange(width) < edge, 25.0, 80.0).astype(np.float32) * np.ones((height, 1))
    a = np.where(np.arange(width) < edge, 30.0, -10.0) * np.ones((height, 1))
    small_L, small_a = (
        x.reshape(h, 10, w, 10).mean(axis=(1, 3)).astype(np.float32) for x in (L, a)
    )
    field = fit_chroma(small_L, np.stack([small_a, small_a]), height=height, width=width)
    planes = enlarge(field, height, width)
    error = np.abs(planes[0] * L + planes[1] - a)
    plain = np.asarray(Image.fromarray(small_a).resize((width, height), Image.Resampling.BICUBIC))
    plain_error = np.abs(plain - a)
    assert error.mean() < 0.25 * plain_error.mean()
    assert error.max() < 0.25 * plain_error.max()


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 20000), width=st.integers(1, 20000))
def test_network_size_keeps_proportions_and_is_bounded(height: int, width: int) -> None:
    h, w = network_size(height, width, 64, "crop")
    assert 1 <= min(h, w) <= 64
    assert max(h, w) <= 8 * 64
    if max(height, width) <= 8 * min(height, width):
        assert min(h, w) == 64
        assert w / h == pytest.approx(width / height, rel=0.01)
    assert network_size(height, width, 64, "squash") == (64, 64)


@settings(max_examples=60, deadline=None)
@given(h=st.integers(1, 300), w=st.integers(1, 300), side=st.sampled_from([32, 64]))
def test_squares_cover_a_photo_and_join_again(h: int, w: int, side: int) -> None:
    if min(h, w) > side:
        h = side
    L = np.random.default_rng(0).uniform(0, 100, (h, w)).astype(np.float32)
    squares = cut_squares(L, side)
    assert squares.shape[1:] == (side, side)
    joined = join_squares(np.stack([squares, -squares], axis=1), h, w)
    np.testing.assert_allclose(joined, np.stack([L, -L]), atol=1e-3)


@pytest.mark.parametrize(("width", "n"), [(64, 1), (85, 2), (96, 2), (114, 2), (128, 3), (512, 10)])
def test_number_of_squares(width: int, n: int) -> None:
    assert len(cut_squares(np.zeros((64, width), np.float32), 64)) == n


def test_squares_fade_without_a_seam() -> None:
    squares = cut_squares(np.zeros((64, 96), np.float32), 64)
    answers = np.zeros((len(squares), 2, 64, 64), np.float32)
    answers[0], answers[1] = 30, -30  # two squares that disagree wholly
    joined = join_squares(answers, 64, 96)
    assert joined[0, 0, 0] == 30
    assert joined[0, 0, -1] == -30
    assert np.abs(np.diff(joined, axis=2)).max() < 2.5
