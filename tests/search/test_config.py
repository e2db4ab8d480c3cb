"""The configuration: what is refused, with which words, and what is resolved."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from search.config import SearchConfig, load_yaml
from search.session import new_config
from search.space import Choice, Fixed, Range, SearchSpace


def test_a_resolved_configuration_builds_itself_again() -> None:
    config = SearchConfig.from_dict(
        {"name": "a", "image_size": 64, "space": {"dropout": [0.0, 0.5]}}
    )
    again = SearchConfig.from_dict(config.to_dict())
    assert again.to_dict() == config.to_dict()
    assert again.space == config.space


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "a", "imagesize": 64}, ["imagesize", "image_size"]),
        ({"name": "a", "image_size": 50}, ["32", "50", "64"]),
        ({"name": "../a"}, ["name", "'../a'"]),
        ({"name": "a", "trials": 0}, ["trials", "at least 1", "0"]),
        ({"name": "a", "trials": "many"}, ["trials", "'many'"]),
        ({"name": "a", "batch_size": 1}, ["batch_size", "at least 2", "1"]),
        ({"name": "a", "device": "tpu"}, ["cuda", "'tpu'"]),
        ({"name": "a", "fit": "stretch"}, ["crop", "squash", "'stretch'"]),
        ({"name": "a", "objective": "chroma_log_ratio"}, ["ab_swd", "'chroma_log_ratio'"]),
        ({"name": "a", "guards": ["grey_skill >= 0"]}, ["METRIC > NUMBER", "grey_skill >= 0"]),
        ({"name": "a", "validation_fraction": 1.0}, ["validation_fraction", "1.0"]),
        ({"name": "a", "early_stopping": {"rungs": 3}}, ["grace_epochs", "rungs"]),
        ({"name": "a", "early_stopping": {"reduction_factor": 1}}, ["reduction_factor", "2", "1"]),
        ({"name": "a", "space": {"width": 3}}, ["generator_complexity", "width"]),
        ({"name": "a", "space": {"generator_lr": {"low": 1, "hi": 2}}}, ["high", "hi"]),
        ({"name": "a", "space": {"generator_lr": {"low": 2e-3, "high": 1e-3}}}, ["above", "0.002"]),
        ({"name": "a", "space": {"generator_lr": {"low": 0, "high": 1, "log": True}}}, ["above 0"]),
        ({"name": "a", "space": {"batch_size": [8, 2.5]}}, ["batch_size", "2.5"]),
        ({"name": "a", "space": {"image_size": [64, 70]}}, ["32", "70"]),
        ({"name": "a", "space": {"adversarial_factor": 1.5}}, ["adversarial_factor", "1.5"]),
        ({"name": "a", "space": [1]}, ["mapping"]),
        ({"name": "a", "space": {"dropout": []}}, ["dropout", "empty"]),
        ({"name": 7}, ["name", "7"]),
    ],
)
def test_bad_values_are_refused_with_rule_and_value(
    values: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        SearchConfig.from_dict(values)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_the_space_reads_ranges_choices_and_fixed_values() -> None:
    space = SearchSpace.parse(
        {
            "generator_complexity": {"low": 8, "high": 32, "step": 4},
            "batch_size": [8, 16],
            "dropout": 0.3,
            "discriminator_every": {"low": 1, "high": 1},
        }
    )
    assert space.parameters["generator_complexity"] == Range(8, 32, step=4)
    assert space.parameters["batch_size"] == Choice((8, 16))
    assert space.parameters["dropout"] == Fixed(0.3)
    assert space.parameters["discriminator_every"] == Fixed(1)
    # What a person does not name is searched as by default, or fixed: as the configuration says, or
    # at the training's default.
    assert isinstance(space.parameters["generator_lr"], Choice)
    config = SearchConfig(name="a", image_size=64, batch_size=8, space=space)
    assert config.space.parameters["pretrain_epochs"] == Choice((0, 4))
    assert config.space.parameters["lr_decay"] == Fixed(1.0)
    assert config.space.parameters["image_size"] == Fixed(64)
    assert config.space.parameters["batch_size"] == Choice((8, 16))


@given(
    low=st.integers(1, 60),
    span=st.integers(0, 60),
    batch=st.lists(st.integers(2, 64), min_size=1, max_size=4, unique=True),
)
def test_a_space_survives_its_plain_form(low: int, span: int, batch: list[int]) -> None:
    space = SearchSpace.parse(
        {"generator_complexity": {"low": low, "high": low + span, "log": True}, "batch_size": batch}
    )
    assert SearchSpace.parse(space.to_plain()) == space


def test_a_yaml_file_must_be_a_mapping_and_cannot_build_objects(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    for text in ("- a\n", "a: [", "a: !!python/object/apply:os.getcwd []\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="YAML"):
            load_yaml(path)
    with pytest.raises(InputError, match="readable"):
        load_yaml(tmp_path / "absent.yaml")


def test_a_run_from_before_there_were_test_photos_has_none() -> None:
    stored = SearchConfig(name="a").to_dict()
    assert stored["test_fraction"] == 0.1
    del stored["test_fraction"]
    assert SearchConfig.from_dict(stored).test_fraction == 0.0
    assert new_config(None, {"name": "a"}).test_fraction == 0.1
    assert new_config(Path("quality"), {"name": "a"}).test_fraction == 0.0
    with pytest.raises(InputError, match=r"test_fraction must be .* but got 0\.9"):
        new_config(None, {"name": "a", "test_fraction": 0.9})


def test_a_key_of_earlier_versions_is_ignored_in_a_run_and_refused_in_a_file(
    tmp_path: Path,
) -> None:
    stored = SearchConfig(name="a").to_dict()
    health = {"gave_up_windows": 0, "won_windows": 40, "still_epochs": 3}
    assert SearchConfig.from_dict({**stored, "health": health}).to_dict() == stored
    path = tmp_path / "search.yaml"
    path.write_text("trials: 3\nhealth: {still_epochs: 2}\n")
    with pytest.raises(InputError, match=r"must not name health.*delete it") as caught:
        load_yaml(path)
    assert "\n" not in str(caught.value)


def test_the_documentation_names_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    missing = [field.name for field in fields(SearchConfig) if f"`{field.name}`" not in text]
    assert missing == []
