"""Chroma over time: steady where nothing moves, no trails where something does, new at a cut."""

from __future__ import annotations

import numpy as np
import pytest

from models.albums.chroma_smoothing import MEMORY, NEW_FRAME, ChromaAverage, FloatArray

H, W = 24, 32


def frame(L: float | FloatArray, a: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    L_hw = np.broadcast_to(np.float32(L), (H, W)).astype(np.float32)
    return L_hw, np.broadcast_to(np.float32(a), (2, H, W)).astype(np.float32)


def test_flicker_of_a_still_scene_falls_and_its_mean_stays() -> None:
    rng = np.random.default_rng(0)
    average = ChromaAverage()
    raw, smooth = [], []
    for _ in range(60):
        L_hw = 50 + rng.normal(0, 0.5, (H, W)).astype(np.float32)
        _, ab_2hw = frame(L_hw, 10 + 4 * rng.standard_normal())
        raw.append(ab_2hw)
        smooth.append(average.add(L_hw, ab_2hw))
    flicker, before = (np.abs(np.diff(frames[20:], axis=0)).mean() for frames in (smooth, raw))
    # an average of independent frames moves by NEW_FRAME sqrt(2 / (2 - NEW_FRAME)) / sqrt(2)
    assert flicker < 1.3 * NEW_FRAME * before
    assert np.mean(smooth[20:]) == pytest.approx(np.mean(raw[20:]), abs=1.0)


def test_a_cut_begins_anew() -> None:
    average = ChromaAverage()
    for _ in range(5):
        average.add(*frame(20, 40))
    new = frame(60, -30)
    assert np.array_equal(average.add(*new), new[1])
    # The same lightness with other colours is no cut, and is taken over slowly.
    assert average.add(*frame(60, 30)).mean() == pytest.approx(-30 + NEW_FRAME * 60)


def test_what_moves_draws_no_trail() -> None:
    average = ChromaAverage()
    for x in range(12):
        L_hw, ab_2hw = frame(40, 0)
        L_hw[8:16, x : x + 6], ab_2hw[:, 8:16, x : x + 6] = 80, 60
        smooth = average.add(L_hw, ab_2hw)
        assert np.abs(smooth[:, 8:16, x : x + 6] - 60).max() < 1e-3
        if x > 2:  # one pixel beside an edge is changed as much as its neighbours are
            assert np.abs(smooth[:, :, : x - 1]).max() < 12
            assert np.abs(smooth[:, 4:20, x + 7 :]).max() < 1e-3


def test_other_sizes_and_a_reset_begin_anew_and_memory_ends() -> None:
    average = ChromaAverage()
    average.add(*frame(50, 40))
    L_hw, ab_2hw = frame(50, 0)
    assert not average.add(L_hw[:10], ab_2hw[:, :10]).any()
    average.add(*frame(50, 40))
    average.reset()
    assert not average.add(L_hw, ab_2hw).any()
    average.add(*frame(90, 100))
    for _ in range(MEMORY):
        faded = average.add(*frame(90, 0))
    assert 0 < faded.max() < 0.1
