"""The table that compares bundles: its measures, their intervals, seeds of one recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.photo_measures import KID, KID_SHARE, PhotoMeasures
from benchmarks.quality import Colorizer, main, picture, summed_up, table, with_shares
from benchmarks.recordings.judge import kernel_distance
from data_pipeline.cache.build import build_cache
from data_pipeline.sources.by_name import open_source
from models.metrics.accumulate import ValidationMetrics
from models.metrics.gamut import displayed_colors
from models.metrics.unseen import MetricInterval
from models.networks.generator import Generator

N_PHOTOS = 24


def features(rgb_N3HW: Tensor) -> Tensor:
    """Colours of the photo's quarters, in place of an ImageNet network."""
    return torch.nn.functional.adaptive_avg_pool2d(rgb_N3HW, 2).flatten(1).double()


def photos() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    L_N1HW = 0.8 * torch.rand(N_PHOTOS, 1, 32, 32, generator=random)
    of_photo = torch.randn(N_PHOTOS, 2, 1, 1, generator=random)
    return L_N1HW, 0.1 * (of_photo + 0.5 * torch.randn(N_PHOTOS, 2, 32, 32, generator=random))


def test_measures_are_those_of_the_program_and_of_the_judge() -> None:
    L, ab = photos()
    fake = 0.5 * ab.roll(1, dims=0)
    measured = PhotoMeasures(L, ab, features).measure(fake).measures
    reference = ValidationMetrics()
    reference.update(L, ab, fake)
    expected = reference.compute_intervals()
    for name in ("grey_skill", "colorfulness", "frechet_ab", "ab_hf_ratio"):
        assert measured[name] == pytest.approx(expected[name], rel=1e-4), name
    real, given = (features(displayed_colors(L, colors).rgb) for colors in (ab, fake))
    assert measured[KID].value == pytest.approx(kernel_distance(real, given))


def test_the_truth_and_grey_are_where_they_belong() -> None:
    L, ab = photos()
    measures = PhotoMeasures(L, ab, features)
    truth, grey = (measures.measure(colors).measures for colors in (ab, torch.zeros_like(ab)))
    assert truth[KID] == (0.0, 0.0, 0.0)
    for name, best in {"colorfulness_share": 1, "green_kept": 1, "hue_error_top": 0}.items():
        assert truth[name].value == pytest.approx(best), name
    assert grey["frechet_ab_share"].value == pytest.approx(1.0)
    assert grey["green_kept"].value == 0.0
    assert grey["hue_error_bottom"].value == pytest.approx(90.0)


def test_the_halves_vary_as_sets_of_photos_do() -> None:
    """The interval of KID has about the width that fresh sets of photos have."""
    random = np.random.default_rng(0)

    def measured() -> PhotoMeasures:
        L = torch.from_numpy(random.random((60, 1, 8, 8), np.float32))
        of_photo = torch.from_numpy(0.2 * random.standard_normal((60, 2, 1, 1), np.float32))
        return PhotoMeasures(L, of_photo.expand(60, 2, 8, 8).contiguous(), features)

    sets = [measured() for _ in range(60)]
    kids = [each.measure(torch.zeros_like(each.ab)).measures[KID] for each in sets]
    spread = np.quantile([kid.value for kid in kids], 0.95) - np.quantile(
        [kid.value for kid in kids], 0.05
    )
    width = np.median([kid.high - kid.low for kid in kids])
    assert 0.6 * spread < width < 1.6 * spread


def test_shares_and_seeds() -> None:
    L, ab = photos()
    measures = PhotoMeasures(L, ab, features)
    measured = {
        "l1-s1": measures.measure(0.1 * ab),
        "l1-s2": measures.measure(0.2 * ab),
        "new": measures.measure(0.8 * ab),
    }
    rows = with_shares(measured, "l1")
    kids = {name: row[KID].value for name, row in rows.items()}
    mean = (kids["l1-s1"] + kids["l1-s2"]) / 2
    share = rows["new"][KID_SHARE]
    assert share.value == pytest.approx(kids["new"] / mean)
    assert share.low < share.value < share.high
    recipes = summed_up(rows)
    assert list(recipes) == ["l1"]
    assert recipes["l1"][KID] == MetricInterval(
        pytest.approx(mean), min(kids["l1-s1"], kids["l1-s2"]), max(kids["l1-s1"], kids["l1-s2"])
    )
    lines = list(table(rows, recipes))
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines[2:]] == [*rows, "**l1**, seeds"]
    assert KID_SHARE not in with_shares(measured, "another")["new"]


def test_a_generator_of_another_side_colours_all_photos() -> None:
    torch.manual_seed(0)
    generator = Generator(2).eval()
    L, _ = photos()
    assert torch.equal(Colorizer(generator, 32)(L), generator(L).detach())
    large = Colorizer(generator, 32)(torch.nn.functional.interpolate(L, (64, 64)))
    assert large.shape == (N_PHOTOS, 2, 64, 64)
    assert (large.mean(dim=(2, 3)) - generator(L).mean(dim=(2, 3))).abs().max() < 0.05


def test_the_picture_shows_photos_by_file_name(tmp_path: Path) -> None:
    source = open_source("synthetic:12")
    photo_cache = build_cache(source, image_size=32, cache_dir=tmp_path, workers=1)
    rows = np.array([5, 2, 9, 11, 3])
    image = picture(photo_cache, rows, {"a": Colorizer(Generator(2).eval(), 32)}, 2)
    assert image.size == (3 * 132 - 4, 14 + 2 * 132 - 4)
    first = sorted(rows, key=lambda row: photo_cache.names[row])[0]
    codes = torch.from_numpy(photo_cache.pixels[first : first + 1].astype(np.float32))
    L, ab = codes[:, :1] / 127.5 - 1, (codes[:, 1:] - 128) / 127
    shown = np.asarray(image)[14 : 14 + 128, 2 * 132 : 2 * 132 + 128].mean(axis=(0, 1)) / 255
    assert shown == pytest.approx(displayed_colors(L, ab).rgb.mean(dim=(0, 2, 3)).numpy(), abs=0.02)


def test_what_is_no_bundle_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path), "--images", str(tmp_path)])
    assert caught.value.code == 2
    assert "a bundle holds config.json" in capsys.readouterr().err
