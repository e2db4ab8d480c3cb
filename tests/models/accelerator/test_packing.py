"""How many trainings share a GPU; a stand-in tells how fast they are together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from models.accelerator.packing import (
    PackingRate,
    Probe,
    measure_packing,
    remembered_packing,
    train_together,
)
from models.training.settings import TrainingSettings
from tests.models.toys import tiny_settings

SETTINGS = tiny_settings()


def probe_of(rates: dict[int, float | None], asked: list[int]) -> Probe:
    def probe(settings: TrainingSettings, count: int) -> float | None:
        asked.append(count)
        return rates[count]

    return probe


@pytest.mark.parametrize(
    ("rates", "most", "asked", "best"),
    [
        ({1: 100, 2: 190, 4: 300, 8: 400}, 8, [1, 2, 4, 8], 8),
        ({1: 100, 2: 190, 4: 300}, 6, [1, 2, 4], 4),
        ({1: 100, 2: 190, 4: 192}, 8, [1, 2, 4], 2),  # no gain worth a process
        ({1: 100, 2: 190, 4: None}, 8, [1, 2, 4], 2),  # out of memory
        ({1: 100, 2: 60}, 8, [1, 2], 1),
        ({1: None}, 8, [1], None),
        ({1: 100}, 1, [1], 1),
    ],
)
def test_more_trainings_are_tried_while_they_gain(
    rates: dict[int, float | None], most: int, asked: list[int], best: int | None
) -> None:
    tried: list[int] = []
    found = measure_packing(SETTINGS, most=most, probe=probe_of(rates, tried))
    assert tried == asked
    assert (found[-1].trainings if found else None) == best


def test_what_was_measured_is_remembered_for_its_settings(tmp_path: Path) -> None:
    file, tried = tmp_path / "cache" / "packing.json", list[int]()
    measure = partial(remembered_packing, file=file, probe=probe_of({1: 100, 2: 190}, tried))
    expected = [PackingRate(trainings=1, images_per_sec=100.0)]
    expected.append(PackingRate(trainings=2, images_per_sec=190.0))
    for _ in range(2):
        assert measure(SETTINGS, most=2) == expected
    # The seed and the rates of learning cost no time; the widths do.
    assert measure(tiny_settings(seed=5, generator_lr=1e-4), most=2) == expected
    assert tried == [1, 2]
    measure(tiny_settings(generator_complexity=5), most=2)
    assert tried == [1, 2, 1, 2]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_cannot_be_read_or_written_costs_a_measuring(tmp_path: Path) -> None:
    (tmp_path / "packing.json").write_text("{half of", encoding="utf-8")
    (tmp_path / "file").write_text("")
    for file in (tmp_path / "packing.json", tmp_path / "file" / "packing.json"):
        tried: list[int] = []
        assert remembered_packing(SETTINGS, most=1, file=file, probe=probe_of({1: 7}, tried))
        assert tried == [1]


def test_trainings_in_processes_of_their_own() -> None:
    rate = train_together(SETTINGS, 2, device="cpu", seconds=0.1)
    assert rate is not None
    assert rate > 0


def test_a_device_that_is_not_there_gives_no_rate(capfd: pytest.CaptureFixture[str]) -> None:
    assert train_together(SETTINGS, 1, device="mps", seconds=0.1) is None
    assert "must be present on this machine" in capfd.readouterr().err
