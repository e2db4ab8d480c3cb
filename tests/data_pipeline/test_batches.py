from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data_pipeline.batches import Decoder, TrainingBatches, load_batch
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.errors import InputError

N = 13


@pytest.fixture
def cache(make_photos, cache_dir: Path) -> PhotoCache:
    return build_cache(make_photos(range(N)), image_size=32, cache_dir=cache_dir)


@pytest.fixture
def with_crops(make_photos, cache_dir: Path) -> PhotoCache:
    return build_cache(make_photos(range(N)), image_size=32, crops=True, cache_dir=cache_dir)


def batches(cache: PhotoCache, **settings) -> TrainingBatches:
    settings = {"batch_size": 4, "seed": 0, **settings}
    return TrainingBatches(cache, np.arange(N), **settings)


def stack(epoch) -> torch.Tensor:
    return torch.stack([torch.cat(pair, dim=1) for pair in epoch])


def test_values_are_scaled_lab(cache: PhotoCache) -> None:
    L_N1HW, ab_N2HW = load_batch(cache, np.array([3, 1]))
    codes = torch.from_numpy(cache.pixels[[3, 1]]).float()
    L, ab = codes[:, :1] / 2.55, codes[:, 1:] - 128
    expected_L, expected_ab = L / 50 - 1, ab / 127
    assert L_N1HW.dtype == ab_N2HW.dtype == torch.float32
    assert L_N1HW.is_contiguous()
    assert ab_N2HW.is_contiguous()
    torch.testing.assert_close(L_N1HW, expected_L, atol=1e-6, rtol=0)
    torch.testing.assert_close(ab_N2HW, expected_ab, atol=1e-6, rtol=0)


def test_black_white_and_grey_are_exact(cache: PhotoCache) -> None:
    codes = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    codes[:, 1:] = 128
    codes[..., 16:] |= torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    stand_in = type("Stand-in", (), {"pixels": codes.numpy()})
    L_N1HW, ab_N2HW = load_batch(stand_in, np.array([0]))
    assert set(L_N1HW.unique().tolist()) == {-1.0, 1.0}
    assert set(ab_N2HW.unique().tolist()) == {0.0}


def test_an_epoch_shows_each_photo_at_most_once_and_nearly_all(cache: PhotoCache) -> None:
    training = batches(cache, flip=False)
    assert training.steps_per_epoch == 3
    photos = stack(training.epoch(0)).flatten(0, 1)
    every = torch.cat(load_batch(cache, np.arange(N)), dim=1)
    found = [int((every == photo).flatten(1).all(1).nonzero()) for photo in photos]
    assert len(found) == len(set(found)) == 12
    other = [
        int((every == photo).flatten(1).all(1).nonzero())
        for photo in stack(training.epoch(1)).flatten(0, 1)
    ]
    assert found != other


def test_only_the_given_rows_are_shown(cache: PhotoCache) -> None:
    rows = np.array([2, 5, 7, 11])
    training = TrainingBatches(cache, rows, batch_size=2, seed=0, flip=False)
    shown = stack(training.epoch(0)).flatten(0, 1)
    every = torch.cat(load_batch(cache, rows), dim=1)
    assert sorted(shown.sum((1, 2, 3)).tolist()) == sorted(every.sum((1, 2, 3)).tolist())


def test_about_half_of_the_photos_are_mirrored(cache: PhotoCache) -> None:
    every = torch.cat(load_batch(cache, np.arange(N)), dim=1).flatten(1)
    mirrored = torch.cat(load_batch(cache, np.arange(N)), dim=1).flip(-1).flatten(1)
    training = batches(cache)
    shown = torch.cat([stack(training.epoch(epoch)).flatten(0, 1) for epoch in range(20)])
    distances = torch.cdist(shown.flatten(1), torch.cat([every, mirrored]))
    assert distances.min(1).values.max() < 1e-2
    share = (distances.argmin(1) >= N).float().mean()
    assert 0.4 < share < 0.6


def test_equal_seeds_give_equal_batches_and_other_seeds_others(cache: PhotoCache) -> None:
    one = stack(batches(cache, seed=5).epoch(2))
    assert torch.equal(one, stack(batches(cache, seed=5).epoch(2)))
    assert not torch.equal(one, stack(batches(cache, seed=6).epoch(2)))
    assert not torch.equal(one, stack(batches(cache, seed=5).epoch(3)))


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_an_epoch_resumed_is_the_epoch_uninterrupted(cache: PhotoCache, start: int) -> None:
    whole = list(batches(cache).epoch(4))
    rest = list(batches(cache).epoch(4, start_step=start))
    assert len(rest) == 3 - start
    for (L, ab), (expected_L, expected_ab) in zip(rest, whole[start:], strict=True):
        assert torch.equal(L, expected_L)
        assert torch.equal(ab, expected_ab)


def test_batches_are_the_callers_own(cache: PhotoCache) -> None:
    first, second = batches(cache).epoch(0), batches(cache).epoch(0)
    L_N1HW, ab_N2HW = next(first)
    L_N1HW.zero_()
    ab_N2HW.zero_()
    expected = list(second)[1]
    assert torch.equal(next(first)[0], expected[0])


@pytest.mark.parametrize("batch_size", [0, -1, N + 1])
def test_a_batch_larger_than_the_photos_is_bad_input(cache: PhotoCache, batch_size: int) -> None:
    with pytest.raises(InputError, match=f"{N}, but got {batch_size}"):
        batches(cache, batch_size=batch_size)


def test_a_batch_of_all_photos_is_one_step(cache: PhotoCache) -> None:
    assert batches(cache, batch_size=N).steps_per_epoch == 1


def test_photos_on_a_device_make_the_same_batches(cache: PhotoCache) -> None:
    read = batches(cache, batch_size=4, seed=3)
    resident = batches(cache, batch_size=4, seed=3, resident_on=torch.device("cpu"))
    for epoch, start in ((0, 0), (5, 1)):
        pairs = list(zip(read.epoch(epoch, start), resident.epoch(epoch, start), strict=True))
        assert pairs
        for (L, ab), (resident_L, resident_ab) in pairs:
            assert torch.equal(L, resident_L)
            assert torch.equal(ab, resident_ab)


def test_every_code_is_decoded_alike_by_computing_and_by_looking_up() -> None:
    codes = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(2, 3, 1, 1)
    decoder = Decoder()
    for computed, found in zip(decoder(codes), decoder.look_up(codes), strict=True):
        assert found.dtype == torch.float32
        assert found.shape == computed.shape
        assert torch.equal(computed, found)


def test_each_epoch_shows_other_crops_of_each_photo(with_crops: PhotoCache) -> None:
    training = batches(with_crops, batch_size=N, crop_area=0.4, flip=False)
    order = np.random.default_rng((0, 0)).permutation(N)
    (whole,) = stack(TrainingBatches(with_crops, order, batch_size=N, seed=0, flip=False).epoch(0))
    (first,), (again,), (second,) = (stack(training.epoch(epoch)) for epoch in (0, 0, 1))
    assert first.shape == whole.shape
    assert torch.equal(first, again)
    assert not any(torch.equal(one, other) for one in first for other in second)
    # They are still photos: the mean colours of a crop are near those of a photo.
    distances = torch.cdist(first.mean((2, 3)), whole.mean((2, 3)))
    assert distances.min(1).values.max() < 0.15


@pytest.mark.parametrize("start", [0, 2])
def test_crops_of_a_resumed_epoch_are_those_of_the_uninterrupted(
    with_crops: PhotoCache, start: int
) -> None:
    whole = stack(batches(with_crops, crop_area=0.4).epoch(4))
    resumed = stack(batches(with_crops, crop_area=0.4).epoch(4, start_step=start))
    assert torch.equal(resumed, whole[start:])
    assert not torch.equal(stack(batches(with_crops, crop_area=0.4, seed=1).epoch(4)), whole)


def test_crops_on_a_device_are_the_same(with_crops: PhotoCache) -> None:
    read = batches(with_crops, seed=3, crop_area=0.4)
    resident = batches(with_crops, seed=3, crop_area=0.4, resident_on=torch.device("cpu"))
    for epoch in range(3):
        assert torch.equal(stack(read.epoch(epoch)), stack(resident.epoch(epoch)))


def test_whole_photos_come_as_before_from_a_cache_with_crops(
    cache: PhotoCache, with_crops: PhotoCache
) -> None:
    assert torch.equal(stack(batches(cache).epoch(2)), stack(batches(with_crops).epoch(2)))


def test_crops_need_a_cache_that_holds_them(cache: PhotoCache) -> None:
    with pytest.raises(InputError, match=r"crop_area 0\.4 needs a photo cache with crops"):
        batches(cache, crop_area=0.4)
