from __future__ import annotations

import math
import pickle
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.lab import rgb_to_lab
from data_pipeline.synthetic.landscape import make_landscape
from models.metrics.accumulate import ValidationMetrics
from models.metrics.names import METRICS
from models.metrics.set_swd import photo_shares

Photos = tuple[torch.Tensor, torch.Tensor]


@lru_cache
def landscapes(n: int, size: int = 32) -> Photos:
    lab = np.stack([rgb_to_lab(make_landscape(seed, size)) for seed in range(n)])
    lab_N3HW = torch.from_numpy(lab).permute(0, 3, 1, 2)
    return lab_N3HW[:, :1] / 50 - 1, lab_N3HW[:, 1:] / 127


def measure(L: torch.Tensor, real: torch.Tensor, fake: torch.Tensor) -> dict[str, float]:
    metrics = ValidationMetrics()
    metrics.update(L, real, fake)
    return metrics.compute()


@pytest.fixture(scope="module")
def photos() -> Photos:
    return landscapes(12)


def test_names_are_the_contract(photos: Photos) -> None:
    L, ab = photos
    assert tuple(measure(L, ab, ab)) == METRICS
    assert METRICS == (
        "l1",
        "grey_skill",
        "psnr",
        "ssim",
        "delta_e",
        "colorfulness",
        "colorfulness_gap",
        "chroma_log_ratio",
        "ab_swd",
        "frechet_ab",
        "ab_hf_ratio",
        "set_swd",
    )


def test_the_truth_scores_perfectly(photos: Photos) -> None:
    L, ab = photos
    scores = measure(L, ab, ab)
    assert scores.pop("colorfulness") > 20
    assert scores == pytest.approx(
        {
            "l1": 0,
            "grey_skill": 1,
            "psnr": 100,
            "ssim": 1,
            "delta_e": 0,
            "colorfulness_gap": 0,
            "chroma_log_ratio": 0,
            "ab_swd": 0,
            "frechet_ab": 0,
            "ab_hf_ratio": 1,
            "set_swd": 0,
        },
        abs=1e-6,
    )


def test_all_grey_has_no_skill_and_no_color(photos: Photos) -> None:
    L, ab = photos
    scores = measure(L, ab, torch.zeros_like(ab))
    assert scores["grey_skill"] == 0
    assert scores["colorfulness"] < 0.01
    assert scores["colorfulness_gap"] < -20
    assert scores["chroma_log_ratio"] < -4
    assert scores["ab_hf_ratio"] < 0.01
    assert all(map(math.isfinite, scores.values()))


def test_l1_prefers_grey_to_displaced_colors_and_ab_swd_does_not() -> None:
    """Why a search must not minimise reconstruction: the claim that the design starts from.

    The displaced colouring has every photo's own colours, each a third of the photo away from
    where it belongs, as of a painter who knows the palette but not the place.
    """
    L, ab = landscapes(24)
    displaced = ab.roll((11, 11), dims=(2, 3))
    grey, colored = measure(L, ab, torch.zeros_like(ab)), measure(L, ab, displaced)
    assert grey["l1"] < colored["l1"]
    assert grey["psnr"] > colored["psnr"]
    assert grey["ssim"] > colored["ssim"]
    assert colored["ab_swd"] < 0.5 * grey["ab_swd"]
    assert colored["frechet_ab"] < 0.1 * grey["frechet_ab"]
    assert abs(colored["colorfulness_gap"]) < 0.5 * abs(grey["colorfulness_gap"])


def test_fading_and_speckle_are_told_apart(photos: Photos) -> None:
    L, ab = photos
    noise = 0.05 * torch.randn(ab.shape, generator=torch.Generator().manual_seed(0))
    faded, speckled = measure(L, ab, 0.5 * ab), measure(L, ab, ab + noise)
    assert faded["chroma_log_ratio"] == pytest.approx(-math.log(2), abs=0.02)
    assert faded["ab_hf_ratio"] == pytest.approx(0.25, abs=0.05)
    assert speckled["ab_hf_ratio"] > 4


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_grouping_into_batches_does_not_matter(sizes: list[int]) -> None:
    L, ab = landscapes(12)
    fake = 0.8 * ab.roll(3, dims=2) + 0.02
    whole, grouped = ValidationMetrics(), ValidationMetrics()
    whole.update(L, ab, fake)
    start = 0
    for size in [*sizes, 12]:
        part = slice(start, start + size)
        grouped.update(L[part], ab[part], fake[part])
        start += size
    assert grouped.n_photos == whole.n_photos == 12
    assert grouped.compute() == pytest.approx(whole.compute(), rel=1e-5, abs=1e-6)


def test_photos_weigh_the_same_whatever_their_size() -> None:
    small, large = landscapes(1, 32), landscapes(1, 64)
    metrics = ValidationMetrics()
    for L, ab in (small, large):
        metrics.update(L, ab, torch.zeros_like(ab))
    alone = [measure(L, ab, torch.zeros_like(ab)) for L, ab in (small, large)]
    for name in ("l1", "psnr", "ssim", "delta_e", "ab_swd"):
        mean = (alone[0][name] + alone[1][name]) / 2
        assert metrics.compute()[name] == pytest.approx(mean, rel=1e-5)


def test_memory_of_a_photo_does_not_grow_with_its_size(photos: Photos) -> None:
    L, ab = photos
    held = []
    for scale in (1, 4):
        larger = [
            tensor.repeat_interleave(scale, 2).repeat_interleave(scale, 3) for tensor in (L, ab)
        ]
        metrics = ValidationMetrics()
        metrics.update(*larger, larger[1])
        held.append(len(pickle.dumps(metrics)))
    assert held[1] < 1.1 * held[0] < 1.1 * 16_000 * len(L)


@pytest.mark.parametrize(
    "value", [-1.0, -0.2, 0.0, 0.5, 1.0], ids=lambda value: f"all colours {value}"
)
@pytest.mark.parametrize("real_value", [0.0, 0.3])
def test_constant_colors_and_one_photo_give_finite_numbers(value: float, real_value: float) -> None:
    L = torch.linspace(-1, 1, 32 * 32).reshape(1, 1, 32, 32)
    real, fake = torch.full((1, 2, 32, 32), real_value), torch.full((1, 2, 32, 32), value)
    scores = measure(L, real, fake)
    assert all(map(math.isfinite, scores.values())), scores


def test_one_nan_makes_every_metric_nan(photos: Photos) -> None:
    L, ab = photos
    fake = ab.clone()
    fake[7, 1, 0, 31] = torch.nan
    assert all(math.isnan(value) for value in measure(L, ab, fake).values())


def test_half_precision_predictions_are_welcome(photos: Photos) -> None:
    L, ab = photos
    fake = (0.8 * ab).bfloat16()
    assert measure(L, ab, fake) == pytest.approx(measure(L, ab, fake.float()))


def test_autocast_around_the_metrics_does_not_blur_them(photos: Photos) -> None:
    L, ab = photos
    fake = 0.8 * ab
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = measure(L, ab, fake)
    assert scores == measure(L, ab, fake)


def test_misfitting_shapes_are_named(photos: Photos) -> None:
    L, ab = photos
    with pytest.raises(ValueError, match=r"\(12, 1, 32, 32\), \(12, 2, 32, 32\) and \(3, 2, 32"):
        ValidationMetrics().update(L, ab, ab[:3])


def test_no_photo_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        ValidationMetrics().compute()


def test_intervals_hold_the_metrics_of_all_photos() -> None:
    # Planted: the true value is that of 400 photos, of which 24 are measured at a time.
    L, real = landscapes(400)
    random = torch.Generator().manual_seed(1)
    fake = 0.6 * real + 0.03 * torch.randn(real.shape, generator=random)
    truth = measure(L, real, fake)
    hits, draws = dict.fromkeys(METRICS, 0), 60
    for draw in range(draws):
        rows = torch.randperm(400, generator=torch.Generator().manual_seed(draw))[:24]
        metrics = ValidationMetrics()
        metrics.update(L[rows], real[rows], fake[rows])
        intervals = metrics.compute_intervals()
        assert [each.value for each in intervals.values()] == list(metrics.compute().values())
        for name, (value, low, high) in intervals.items():
            assert low <= high, name
            assert math.isfinite(value)
            hits[name] += low <= truth[name] <= high
    # 90 % are promised: 54 of 60, give or take 2.3.
    assert {name: n for name, n in hits.items() if not n >= 46} == {}
    assert sum(hits.values()) / (draws * len(METRICS)) < 0.97


def test_the_shares_of_the_photos_make_the_distance_of_the_set(photos: Photos) -> None:
    L, ab = photos
    metrics = ValidationMetrics()
    metrics.update(L, ab, 0.5 * ab)
    shares = photo_shares(torch.cat(metrics._real_pixels), torch.cat(metrics._fake_pixels))
    assert shares.shape == (12,)
    assert float(shares.mean()) == pytest.approx(metrics.compute()["set_swd"], rel=1e-5)


def test_one_photo_says_nothing_of_others_and_the_truth_is_the_truth(photos: Photos) -> None:
    L, ab = photos
    one, true = ValidationMetrics(), ValidationMetrics()
    one.update(L[:1], ab[:1], 0.5 * ab[:1])
    assert all(math.isnan(each.low) for each in one.compute_intervals().values())
    true.update(L, ab, ab)
    assert true.compute_intervals()["grey_skill"] == (1.0, 1.0, 1.0)
