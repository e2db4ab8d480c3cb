"""The ready searches: configurations that build, the report's own studies among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.networks.complexity import network_sizes
from search.config import SearchConfig, load_yaml
from search.study.creation import distributions

CONFIGS = Path(__file__).parents[2] / "configs"
#: not the report's
OURS = ("quality",)


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
