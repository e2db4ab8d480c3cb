"""Which configurations a search asks first."""

from __future__ import annotations

from typing import Any

import pytest

from search.config import SearchConfig
from search.space import Choice, SearchSpace
from search.study.start_points import START_POINTS, known_points, start_points


def _config(space: dict[str, Any] | None = None, **values: Any) -> SearchConfig:
    return SearchConfig(
        name="a", space=SearchSpace.parse(space or {}), **{"trials": 40, "max_epochs": 10, **values}
    )


def test_the_default_space_holds_every_start_point_whole() -> None:
    config = _config()
    points = known_points(config)
    assert len(points) == len(START_POINTS)
    for point, known in zip(points, START_POINTS, strict=True):
        assert set(point) == set(config.space.sampled)
        assert all(config.space.sampled[name].contains(value) for name, value in point.items())
        same = set(known) - {"pretrain_share"}
        assert {name: point[name] for name in same} == {name: known[name] for name in same}


@pytest.mark.parametrize(("trials", "expected"), [(1, 0), (2, 1), (5, 2), (40, len(START_POINTS))])
def test_a_short_search_also_explores(trials: int, expected: int) -> None:
    assert len(known_points(_config(trials=trials))) == expected


def test_other_spaces_keep_what_they_hold_of_a_point() -> None:
    low = {"low": 1e-6, "high": 1e-5, "log": True}
    points = known_points(
        _config({"discriminator_lr": low, "generator_complexity": [4, 30], "batch_size": [8, 16]})
    )
    for point in points:
        # 1e-5 is far from any of them, 30 near to 32; of the batch size they know nothing.
        assert {"discriminator_lr", "batch_size"}.isdisjoint(point)
        assert point.get("generator_complexity") in (None, 30)
    assert any("generator_complexity" in point for point in points)
    assert known_points(_config(dict.fromkeys(("generator_lr", "discriminator_lr"), 0.001)))


def test_pre_training_scales_with_the_epochs() -> None:
    for max_epochs in (5, 10, 30):
        config = _config(max_epochs=max_epochs)
        searched = config.space.sampled["pretrain_epochs"]
        assert searched == Choice((0, int(0.4 * max_epochs)))
        assert {point["pretrain_epochs"] for point in known_points(config)} <= set(searched.values)
    assert "pretrain_epochs" not in _config(max_epochs=2).space.sampled


def test_points_of_ones_own_come_instead() -> None:
    mine = ({"generator_complexity": 24}, {"generator_complexity": 24}, {"generator_lr": 1e-3})
    assert start_points(_config(points=mine)) == [mine[0], mine[2]]
    assert start_points(_config(known_points=False)) == []
