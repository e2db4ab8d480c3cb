"""The report's own studies, as configurations that build."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.complexity import balance
from search.config import SearchConfig, load_yaml
from search.study import distributions

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_ready_search_builds(path: Path) -> None:
    config = SearchConfig.from_dict({"name": "study", **load_yaml(path)})
    assert config.fit == "squash"
    assert config.max_epochs == (5 if path.stem == "complexity-small" else 14)
    assert not config.early_stopping.enabled
    assert config.finalists == config.trials
    # Every sampled value is a point that is asked; nothing is left to chance.
    sampled = config.make_space().sampled
    assert len(config.points) in (config.trials, 0)
    assert all(set(point) == set(sampled) for point in config.points)
    assert set(distributions(config.make_space())) == set(sampled)


def test_the_small_study_has_the_ratios_of_the_large_one() -> None:
    ratios = []
    for name in ("complexity", "complexity-small"):
        config = SearchConfig.from_dict({"name": "a", **load_yaml(CONFIGS / f"{name}.yaml")})
        space = config.make_space()
        settings = [space.settings(point, seed=0) for point in config.points]
        ratios.append(
            [
                balance(
                    each.generator_complexity, each.discriminator_complexity, each.image_size
                ).parameter_ratio
                for each in settings
            ]
        )
    assert ratios[1] == pytest.approx(ratios[0], rel=0.02)


def test_the_final_model_has_the_ratio_of_the_report() -> None:
    config = SearchConfig.from_dict({"name": "a", **load_yaml(CONFIGS / "final_model.yaml")})
    settings = config.make_space().settings({}, seed=0)
    sizes = balance(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    assert round(sizes.parameter_ratio, 2) == 0.81
    assert settings.generator_lr == 7e-6
