from __future__ import annotations

import numpy as np
import pytest
import torch

from data_pipeline.cache.prepare import crop_side
from data_pipeline.random_crops import Cropper, draw_boxes


@pytest.mark.parametrize("size", [32, 64, 96])
def test_every_crop_is_the_same_bits_on_a_device_as_from_the_cache(size: int) -> None:
    side = crop_side(size)
    generator = np.random.default_rng(size)
    sides = np.arange(2, side + 1)
    top, left = ((generator.random(len(sides)) * (side - sides + 1)).astype(int) for _ in "yx")
    boxes = np.stack([sides, top, left], axis=1)
    photos = generator.integers(0, 256, (len(sides), 3, side, side), np.uint8)
    cropper = Cropper(side, size)
    expected = np.empty((len(sides), 3, size, size), np.uint8)
    for photo, box, out in zip(photos, boxes, expected, strict=True):
        cropper.crop(photo, box, out)
    found = cropper.crop_batch(torch.from_numpy(photos), torch.from_numpy(boxes))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), expected)
    assert len(np.unique(expected)) == 256


def test_a_crop_of_its_own_size_is_the_pixels_themselves() -> None:
    photos = torch.randint(0, 256, (1, 3, 40, 40), dtype=torch.uint8)
    box = torch.tensor([[32, 3, 7]])
    assert torch.equal(Cropper(40, 32).crop_batch(photos, box), photos[..., 3:35, 7:39])


@pytest.mark.parametrize("minimum_area", [0.1, 0.4])
def test_boxes_lie_within_the_photo_and_vary_in_area_and_place(minimum_area: float) -> None:
    boxes = draw_boxes(np.random.default_rng(0), 5000, side=80, minimum_area=minimum_area)
    sides, top, left = boxes.T
    assert boxes.min() >= 0
    assert (top + sides).max() == (left + sides).max() == 80
    areas = sides**2 / 80**2
    assert minimum_area - 0.01 <= areas.min() < minimum_area + 0.02
    assert areas.max() == 1
    assert areas.mean() == pytest.approx((1 + minimum_area) / 2, abs=0.02)
    small = boxes[sides < 70]
    shares = small[:, 1:] / (80 - small[:, :1])
    assert shares.mean(0) == pytest.approx(0.5, abs=0.03)
    assert abs(np.corrcoef(shares.T)[0, 1]) < 0.1
