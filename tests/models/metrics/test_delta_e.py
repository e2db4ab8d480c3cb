from __future__ import annotations

import numpy as np
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000

from models.metrics.delta_e import delta_e

# Sharma, Wu and Dalal 2005, table 1: the pairs on which implementations fail.
SHARMA_TABLE_1 = """
50 2.6772 -79.7751  50 0 -82.7485  2.0425
50 3.1571 -77.2803  50 0 -82.7485  2.8615
50 2.8361 -74.0200  50 0 -82.7485  3.4412
50 -1.3802 -84.2814  50 0 -82.7485  1.0000
50 -1.1848 -84.8006  50 0 -82.7485  1.0000
50 -0.9009 -85.5211  50 0 -82.7485  1.0000
50 0 0  50 -1 2  2.3669
50 -1 2  50 0 0  2.3669
50 2.4900 -0.0010  50 -2.4900 0.0009  7.1792
50 2.4900 -0.0010  50 -2.4900 0.0010  7.1792
50 2.4900 -0.0010  50 -2.4900 0.0011  7.2195
50 2.4900 -0.0010  50 -2.4900 0.0012  7.2195
50 -0.0010 2.4900  50 0.0009 -2.4900  4.8045
50 -0.0010 2.4900  50 0.0010 -2.4900  4.8045
50 -0.0010 2.4900  50 0.0011 -2.4900  4.7461
50 2.5 0  50 0 -2.5  4.3065
50 2.5 0  73 25 -18  27.1492
50 2.5 0  61 -5 29  22.8977
50 2.5 0  56 -27 -3  31.9030
50 2.5 0  58 24 15  19.4535
50 2.5 0  50 3.1736 0.5854  1.0000
50 2.5 0  50 3.2972 0  1.0000
50 2.5 0  50 1.8634 0.5757  1.0000
50 2.5 0  50 3.2592 0.3350  1.0000
60.2574 -34.0099 36.2677  60.4626 -34.1751 39.4387  1.2644
63.0109 -31.0961 -5.8663  62.8187 -29.7946 -4.0864  1.2630
61.2901 3.7196 -5.3901  61.4292 2.2480 -4.9620  1.8731
35.0831 -44.1164 3.7933  35.0232 -40.0716 1.5901  1.8645
22.7233 20.0904 -46.6940  23.0331 14.9730 -42.5619  2.0373
36.4612 47.8580 18.3852  36.2715 50.5065 21.2231  1.4146
90.8027 -2.0831 1.4410  91.1528 -1.6435 0.0447  1.4441
90.9257 -0.5406 -0.9208  88.6381 -0.8985 -0.7239  1.5381
6.7747 -0.2908 -2.4247  5.8714 -0.0985 -2.2286  0.6377
2.0776 0.0795 -1.1350  0.9033 -0.0636 -0.5514  0.9082
"""

colors = st.tuples(st.floats(0, 100), st.floats(-110, 110), st.floats(-110, 110))


def pixel(lab: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(lab).reshape(1, 3, 1, 1)


def test_agrees_with_the_published_table() -> None:
    rows = np.array([line.split() for line in SHARMA_TABLE_1.split("\n") if line], dtype=float)
    assert rows.shape == (34, 7)
    first, second = (torch.from_numpy(rows[:, i : i + 3])[..., None, None] for i in (0, 3))
    np.testing.assert_allclose(delta_e(first, second), rows[:, 6], atol=1e-4)


def test_agrees_with_scikit_image_on_random_colors() -> None:
    rng = np.random.default_rng(0)
    low, high = (0, -110, -110), (100, 110, 110)
    first, second = rng.uniform(low, high, (2, 20_000, 3)).astype(np.float32)
    second[:5_000] = first[:5_000] + rng.normal(0, 2, (5_000, 3)).astype(np.float32)
    second[5_000:6_000, 1:] = 0  # against grey
    expected = deltaE_ciede2000(first, second)
    actual = delta_e(
        torch.from_numpy(first)[..., None, None], torch.from_numpy(second)[..., None, None]
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=2e-3)


def test_exactly_opposite_hues_are_as_nearly_opposite_ones_on_the_side_of_the_formula() -> None:
    # At 180 degrees the formula jumps; up to and including it the mean hue is half the sum of both.
    angles = np.deg2rad(np.arange(0, 360, 15))
    first = np.stack([np.full(24, 60.0), 20 * np.cos(angles), 20 * np.sin(angles)], axis=-1)
    first[:, 1:] = np.round(first[:, 1:], 6)
    nearly = angles + np.pi + np.where(angles < np.pi, -1e-6, 1e-6)
    second = np.stack([np.full(24, 60.0), 20 * np.cos(nearly), 20 * np.sin(nearly)], axis=-1)
    opposite = first * [1, -1, -1]
    actual = delta_e(*(torch.from_numpy(x)[..., None, None] for x in (first, opposite)))
    np.testing.assert_allclose(actual, deltaE_ciede2000(first, second), rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(colors, colors)
@example((0.0, 0.0, 53.5), (0.0, 0.0, -1.0))  # opposite, but for rounding
@example((0.0, 1.0, -6.204097240567744e-39), (0.0, -1.0, 0.0))  # both just below the upper half
@example((0.0, 1.0, -1e-7), (0.0, -1.0, -1e-7))
def test_symmetric_and_zero_only_for_identity(
    first: tuple[float, float, float], second: tuple[float, float, float]
) -> None:
    there, back = delta_e(pixel(first), pixel(second)), delta_e(pixel(second), pixel(first))
    torch.testing.assert_close(there, back, atol=1e-3, rtol=1e-3)
    assert delta_e(pixel(first), pixel(first)) == 0
    assert torch.isfinite(there).all()


def test_symmetric_for_nearly_opposite_hues() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    quarters = rng.integers(0, 4, n) * np.pi / 2
    angles = np.where(rng.random(n) < 0.5, quarters, rng.uniform(0, 2 * np.pi, n))
    off = rng.choice([0, 1e-39, 1e-12, 1e-8, 1e-7, 3e-7, 1e-6], n) * rng.choice([-1, 1], n)
    first, second = (
        torch.from_numpy(
            np.stack([np.full(n, 50.0), chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
            .astype(np.float32)[..., None, None]
        )
        for hue, chroma in (
            (angles, rng.uniform(0.5, 60, n)),
            (angles + np.pi + off, rng.uniform(0.5, 60, n)),
        )
    )  # fmt: skip
    there, back = delta_e(first, second), delta_e(second, first)
    torch.testing.assert_close(there, back, atol=1e-3, rtol=1e-3)


def test_averages_over_pixels_and_keeps_photos_apart() -> None:
    real = torch.zeros(2, 3, 4, 4) + 50
    fake = real.clone()
    fake[1, 0, :2] += 10
    one_pixel = delta_e(real[1:, :, :1, :1], fake[1:, :, :1, :1])
    torch.testing.assert_close(
        delta_e(real, fake), torch.stack([one_pixel[0] * 0, one_pixel[0] / 2])
    )


def test_nan_stays_nan() -> None:
    lab = torch.full((2, 3, 2, 2), 30.0)
    broken = lab.clone()
    broken[0, 2, 1, 1] = torch.nan
    assert delta_e(lab, broken).isnan().tolist() == [True, False]
