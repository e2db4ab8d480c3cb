"""`search --describe`: what would be done, said without doing it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from data_pipeline.cache.build import build_cache
from data_pipeline.sources.by_name import open_source
from search.cli.main import main
from search.config import SearchConfig, load_yaml
from search.describe_search import disk_bytes, draw_settings
from search.ready_searches import find_config
from search.space import SearchSpace
from tests.models.toys import new_trial, tiny_settings

SEARCH = """search --images synthetic:40 --image-size 32 --batch-size 4 --trials 6 --max-epochs 2
--concurrency 2 --finalists 2 --repeats 3 --describe""".split()  # noqa: SIM905


def test_it_says_what_would_happen_and_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    assert main(SEARCH) == 0
    captured = capfd.readouterr()
    assert captured.err == ""
    facts = dict(re.split(r" {2,}", line, maxsplit=1) for line in captured.out.splitlines())
    assert facts["photos"] == "synthetic:40: 40 photos: 25 train, 10 validate, 5 test"
    assert facts["trials"] == "6, then 2 x 3 repeats; 2 at the same time"
    assert facts["epochs"] == "up to 2 a trial, 6 steps each"
    assert facts["objective"] == "set_swd, where grey_skill > 0 and ab_hf_ratio < 2"
    assert facts["generator_complexity"] == "one of 24, 32, 48"
    assert facts["batch_size"] == "4"
    said = re.fullmatch(
        r"at most about .*: (\S+) s a step, (\S+) s a validation; .*", facts["time"]
    )
    assert said
    assert float(said[1]) > 0
    assert float(said[2]) > 0
    assert re.fullmatch(r"at most about [1-9]\d* MB", facts["disk"])
    assert not (tmp_path / "runs").exists()


def test_draws_come_from_the_space() -> None:
    config = SearchConfig(name="a", space=SearchSpace.parse({"generator_complexity": [8, 16]}))
    assert {each.generator_complexity for each in draw_settings(config)} <= {8, 16}
    # Where nothing varies, one is all.
    quality = load_yaml(find_config(Path("quality")))
    assert len(draw_settings(SearchConfig.from_dict({"name": "a", **quality}))) == 1


def test_the_disk_is_what_a_trial_really_takes(tmp_path: Path) -> None:
    settings = tiny_settings(generator_complexity=40, discriminator_complexity=40, ema_images=20)
    cache = build_cache(open_source("synthetic:40"), image_size=32, cache_dir=tmp_path / "cache")
    folder = tmp_path / "trial"
    new_trial(folder, cache, settings=settings).run_epoch()
    taken = sum(path.stat().st_size for path in folder.iterdir())
    assert disk_bytes([settings], n_trials=1) == pytest.approx(taken, rel=0.15)
