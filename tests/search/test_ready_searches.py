"""The ready searches: configurations that build, the report's own studies among them."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.recordings import plans
from data_pipeline.errors import InputError
from models.networks.complexity import nearest_discriminator_width, network_sizes
from search.config import SearchConfig, load_yaml
from search.ready_searches import find_config
from search.study.creation import distributions
from search.tune.worker_imports import PACKAGES

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "search" / "configs"
#: not the report's
OURS = ("quality", "balance-study")


@pytest.mark.parametrize(
    "path",
    sorted(path for path in CONFIGS.glob("*.yaml") if path.stem not in OURS),
    ids=lambda path: path.stem,
)
def test_a_study_of_the_report_builds(path: Path) -> None:
    config = SearchConfig.from_dict({"name": "study", **load_yaml(path)})
    assert config.fit == "squash"
    assert config.max_epochs == (5 if path.stem == "complexity-small" else 14)
    assert not config.early_stopping.enabled
    assert config.finalists == config.trials
    # Every sampled value is a point that is asked; nothing is left to chance.
    sampled = config.space.sampled
    assert len(config.points) in (config.trials, 0)
    assert all(set(point) == set(sampled) for point in config.points)
    assert set(distributions(config.space)) == set(sampled)


def test_the_small_study_has_the_ratios_of_the_large_one() -> None:
    ratios = []
    for name in ("complexity", "complexity-small"):
        config = SearchConfig.from_dict({"name": "a", **load_yaml(CONFIGS / f"{name}.yaml")})
        space = config.space
        settings = [space.settings(point, seed=0) for point in config.points]
        ratios.append(
            [
                network_sizes(
                    each.generator_complexity, each.discriminator_complexity, each.image_size
                ).parameter_ratio
                for each in settings
            ]
        )
    assert ratios[1] == pytest.approx(ratios[0], rel=0.02)


def test_the_final_model_has_the_ratio_of_the_report() -> None:
    config = SearchConfig.from_dict({"name": "a", **load_yaml(CONFIGS / "final_model.yaml")})
    settings = config.space.settings({}, seed=0)
    sizes = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    assert round(sizes.parameter_ratio, 2) == 0.81
    assert settings.generator_lr == 7e-6


def test_the_one_of_good_colours_trains_a_single_pair_with_a_late_discriminator() -> None:
    config = SearchConfig.from_dict({"name": "a", **load_yaml(CONFIGS / "quality.yaml")})
    space = config.space
    assert config.trials == 1
    assert not space.sampled
    assert 0 < space.settings({}, seed=0).pretrain_epochs < config.max_epochs
    # Neither grey nor speckle nor paleness can win.
    fine = {"grey_skill": 0.06, "ab_hf_ratio": 1.0}
    objective = config.make_objective()
    assert objective.feasible(fine)
    for bad in ({"grey_skill": 0.04}, {"ab_hf_ratio": 0.6}, {"ab_hf_ratio": 1.5}):
        assert not objective.feasible({**fine, **bad})


def test_the_balance_study_crosses_widths_with_the_ratios_of_the_recorded_one() -> None:
    config = SearchConfig.from_dict({"name": "a", **load_yaml(CONFIGS / "balance-study.yaml")})
    wanted = [
        (width, nearest_discriminator_width(ratio, generator_complexity=width, image_size=64))
        for width, ratio in itertools.product(plans.BALANCE_WIDTHS, plans.BALANCE_RATIOS)
    ]
    space = config.space
    settings = [space.settings(point, seed=0) for point in config.points]
    assert [(s.generator_complexity, s.discriminator_complexity) for s in settings] == wanted
    recorded = next(plans.balance()).settings
    assert settings[0] == replace(recorded, seed=0)
    # Each configuration once in the search and again as a finalist, none stopped early.
    assert config.trials == config.finalists == len(wanted)
    assert config.trials * (1 + config.repeats) == len(wanted) * plans.BALANCE_SEEDS == 240
    assert config.max_epochs == plans.BALANCE_EPOCHS
    assert not config.early_stopping.enabled
    assert set(distributions(space)) == {"generator_complexity", "discriminator_complexity"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the built wheel installs."""
    source, wheels = (tmp_path_factory.mktemp(name) for name in ("source", "wheels"))
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", wheels, source], check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    target = tmp_path_factory.mktemp("target")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def test_an_installed_wheel_has_the_searches_by_their_names(
    installed: Path, tmp_path: Path
) -> None:
    script = """
from pathlib import Path
from search.ready_searches import find_config, ready_searches
for name in ready_searches():
    print(find_config(Path(name)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [Path(line) for line in done.stdout.splitlines()]
    assert {path.stem for path in found} == {path.stem for path in CONFIGS.glob("*.yaml")}
    for path in found:
        assert path.is_relative_to(installed)
        assert path.read_bytes() == (CONFIGS / path.name).read_bytes()


def test_an_installed_wheel_has_what_the_packages_read(installed: Path) -> None:
    for package in PACKAGES:
        ours = {
            path.relative_to(ROOT)
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert all((installed / path).is_file() for path in ours), ours


def test_a_name_a_path_and_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert find_config(Path("quality")) == CONFIGS / "quality.yaml"
    # As before the searches could be named.
    assert (
        find_config(Path("configs/quality.yaml")).read_bytes()
        == (CONFIGS / "quality.yaml").read_bytes()
    )
    monkeypatch.chdir(tmp_path)
    for neither in ("beauty", "absent.yaml", "configs/quality"):
        with pytest.raises(InputError, match=rf"ready search \(.*quality.*\), but got {neither}"):
            find_config(Path(neither))
    # A file of one's own comes first.
    (tmp_path / "quality").write_text("trials: 1\n")
    assert find_config(Path("quality")) == Path("quality")
