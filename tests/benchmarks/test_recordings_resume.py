"""Recordings go on from whatever a kill left, and share beginnings without changing a result."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.recordings import __main__ as command
from benchmarks.recordings import plans
from benchmarks.recordings.beginnings import beginning_settings
from benchmarks.recordings.evaluation import Evaluation
from benchmarks.recordings.pack import merge, write_packed
from benchmarks.recordings.partition import PhotoSets
from benchmarks.recordings.recorder import Piece, Recorder, pieces_of
from benchmarks.recordings.rows import append_rows, open_rows, read_rows
from data_pipeline.cache.build import build_cache
from data_pipeline.sources.by_name import open_source
from models.training.settings import TrainingSettings

SETTINGS = TrainingSettings(
    generator_complexity=4,
    discriminator_complexity=3,
    discriminator_lr=1e-3,
    adversarial_factor=0.05,
    image_size=32,
    batch_size=4,
    pretrain_epochs=2,
)
#: differ between two runs of the same
TIMES = ("seconds", "cpu_seconds", "evaluation_seconds", "load")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> PhotoSets:
    cache = build_cache(
        open_source("synthetic:40"), image_size=32, cache_dir=tmp_path_factory.mktemp("cache")
    )
    rows = np.arange(40)
    return PhotoSets(
        cache,
        {"train": rows[:16], "choose_a": rows[16:24], "choose_b": rows[24:32], "test": rows[32:]},
    )


@pytest.fixture
def recorder(photos, tmp_path) -> Recorder:
    return _recorder(photos, tmp_path / "store")


def _recorder(photos, store) -> Recorder:
    def features(rgb_N3HW: torch.Tensor) -> torch.Tensor:
        return rgb_N3HW[..., ::4, ::4].flatten(1).double()

    return Recorder(photos, Evaluation(photos, features), store)


@pytest.fixture
def short_plan(monkeypatch) -> None:
    def three() -> Iterator[plans.Training]:
        yield plans.Training(0, SETTINGS, 2)
        yield plans.Training(1, replace(SETTINGS, discriminator_complexity=2), 1)
        yield plans.Training(2, replace(SETTINGS, pretrain_epochs=0), 1)

    monkeypatch.setitem(plans.PLANS, "table", three)
    monkeypatch.setattr(plans, "SNAPSHOTS", (0, 1, 2))
    monkeypatch.setattr(plans, "FIRST_EPOCHS", {"table": 1})


def _timeless(rows):
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


def test_a_recording_goes_on_after_a_kill_at_any_moment(photos, tmp_path, short_plan):
    whole = tmp_path / "whole.jsonl"
    # Two shared stages of one epoch, three trainings, and what is left of the first.
    assert command.record_plan("table", _recorder(photos, tmp_path / "store"), whole) == 6
    wanted = _timeless(read_rows([whole]))
    assert [row["epoch"] for row in wanted] == [1, 2, 3, 3, 1, 4]
    data = whole.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    for i, cut in enumerate([0, 50, ends[0], ends[1] + 7, ends[2], ends[3] - 1, len(data)]):
        out, store = tmp_path / f"cut{i}.jsonl", tmp_path / f"store{i}"
        out.write_bytes(data[:cut])
        shutil.copytree(tmp_path / "store", store)
        command.record_plan("table", _recorder(photos, store), out)
        assert _timeless(read_rows([out])) == wanted


def test_lost_beginnings_are_trained_again_without_new_rows(photos, tmp_path, short_plan):
    out = tmp_path / "rows.jsonl"
    assert command.record_plan("table", _recorder(photos, tmp_path / "one"), out, limit=2) == 2
    before = out.read_bytes()
    assert command.record_plan("table", _recorder(photos, tmp_path / "two"), out) == 6
    assert out.read_bytes().startswith(before)
    assert len(read_rows([out])) == 6


def test_a_branch_equals_the_training_that_did_it_alone(recorder):
    pieces = pieces_of("table", 0, SETTINGS, 3, snapshots=(1, 2), first_epochs=1)
    assert [(piece.start, piece.end) for piece in pieces] == [(0, 1), (1, 2), (2, 3), (3, 5)]
    assert [piece.leaves_state for piece in pieces] == [True, True, True, False]
    _, _, (third,), (fourth, fifth) = map(recorder.record, pieces)
    alone = recorder.record(replace(pieces[-1], start=0))
    assert len(alone) == 5
    branched = [third, fourth, fifth]
    different = {"key", "start", "end", "judge", "last", *TIMES}
    for ours, theirs in zip(branched, alone[2:], strict=True):
        assert ours["discrimination"]["auc"]
        for name in set(ours) - different:
            assert ours[name] == theirs[name], name
    assert fifth["judge"] == alone[-1]["judge"]


def test_rows_say_everything(recorder):
    (row,) = recorder.record(
        Piece(plan="x", number=3, settings=replace(SETTINGS, pretrain_epochs=0), start=0, end=1)
    )
    assert row["sets"] == ["choose_a", "choose_b", "choose", "test"]
    assert row["settings"] == replace(SETTINGS, pretrain_epochs=0).to_dict()
    for group in ("metrics", "candidates", "judge", "discrimination"):
        assert all(len(values) == 4 for values in row[group].values())
    assert len({len(column) for column in row["curve"].values()}) == 1
    assert row["gradient_norms"]["generator"] > 0
    assert row["gradient_norms"]["discriminator"] > 0


def test_a_failed_training_is_a_row_of_its_own(recorder):
    settings = replace(SETTINGS, pretrain_epochs=0, generator_lr=1.0, discriminator_lr=1.0)
    piece = Piece(plan="x", number=0, settings=settings, start=0, end=3)
    training = recorder._start(piece)
    torch.nn.init.constant_(training.pair.generator.inc[0].weight, float("nan"))
    recorder._start = lambda _: training
    (row,) = recorder.record(piece)
    assert row["last"]
    assert "reconstruction was nan" in row["failed"]


def test_rows_are_rounded_and_torn_pieces_cut(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_rows(path, [{"key": "a", "x": 1.23456789, "y": float("nan"), "last": True}])
    append_rows(path, [{"key": "b", "last": False}])
    assert read_rows([path]) == [{"key": "a", "x": 1.2346, "y": None, "last": True}]
    assert [row["key"] for row in open_rows(path)] == ["a"]
    assert len(path.read_bytes().splitlines()) == 1


def test_packed_rows_hold_what_was_measured_later(tmp_path):
    rows = [
        {"key": "a", "epoch": 1, "last": False, "candidates": {"x": 1, "y": 2}},
        {"key": "a", "epoch": 2, "last": True, "candidates": {"x": 3}, "judge": {"kid": 4}},
    ]
    extra = [
        {"key": "a", "epoch": 2, "candidates": {"y": 5}},
        {"key": "a", "epoch": 2, "candidates": {"x": 6}, "judge": {"kid_224": 7}},
        {"key": "b", "epoch": 1, "candidates": {"x": 8}},
    ]
    path = tmp_path / "rows.jsonl.gz"
    write_packed(path, merge(rows, extra))
    first, second = read_rows([path])
    assert first == rows[0]
    assert second["candidates"] == {"x": 6, "y": 5}
    assert second["judge"] == {"kid": 4, "kid_224": 7}
    before = path.read_bytes()
    write_packed(path, merge(rows, extra))
    assert path.read_bytes() == before


@pytest.mark.parametrize("plan", plans.PLANS)
def test_every_piece_of_a_plan_finds_its_beginning_before_it(plan):
    trained, keys = set(), set()
    for piece in itertools.islice(plans.pieces(plan), 400):
        shared = beginning_settings(piece.settings)
        assert piece.start == 0 or {(shared, piece.start), (piece.settings, piece.start)} & trained
        if piece.leaves_state:
            trained.add((piece.settings, piece.end))
        if not piece.is_beginning:
            assert piece.key("") not in keys
            keys.add(piece.key(""))


def test_what_was_recorded_in_one_go_is_not_recorded_in_parts(recorder, tmp_path, short_plan):
    out = tmp_path / "rows.jsonl"
    whole = Piece(plan="table", number=0, settings=SETTINGS, start=0, end=4)
    append_rows(out, recorder.record(whole))
    # The beginnings for the second training, it, and the third.
    assert command.record_plan("table", recorder, out) == 4


def test_a_third_of_the_balance_grid_ends_with_the_duality_gap():
    grid = [training for training in plans.balance() if training.settings.generator_lr == 4e-4]
    measured = [training for training in grid if training.duality]
    assert len(grid) == 240
    assert len(measured) == 80
    keys = {(str(t.settings), t.duality) for t in grid}
    # What the pilot has recorded is not recorded again, so it must be the same.
    assert {(str(t.settings), t.duality) for t in plans.balance_pilot()} <= keys
    cells = {(t.settings.generator_complexity, t.settings.discriminator_complexity) for t in grid}
    for cell in cells:
        of_cell = [
            t
            for t in measured
            if (t.settings.generator_complexity, t.settings.discriminator_complexity) == cell
        ]
        assert 5 <= len(of_cell) <= 6


def test_the_gap_stands_in_the_last_row_and_changes_nothing_else(recorder):
    settings = replace(SETTINGS, pretrain_epochs=0)
    rows = {}
    for duality in (False, True):
        pieces = pieces_of("x", 0, settings, 2, duality, snapshots=(), first_epochs=1)
        rows[duality] = [row for piece in pieces for row in recorder.record(piece)]
    plain, measured = rows[False], rows[True]
    assert "duality" not in measured[0]
    duality = measured[1].pop("duality")
    assert _timeless(measured) == _timeless(plain)
    assert set(duality) == {"before", "discriminator_trained", "generator_trained", "gap"}
    assert all(len(values) == 4 and np.isfinite(values).all() for values in duality.values())


def test_the_table_has_enough_branches_and_two_seeds_for_a_quarter():
    trainings = list(plans.table())
    seeds = [training.settings.seed for training in trainings]
    assert seeds.count(0) == plans.N_BRANCHES
    assert seeds.count(1) == plans.N_BRANCHES // 4
    numbers = [training.number for training in trainings if training.settings.seed == 0]
    assert numbers == list(range(plans.N_BRANCHES))
