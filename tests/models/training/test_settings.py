from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.errors import InputError
from models.training.settings import TrainingSettings

rates = st.floats(min_value=0.0, max_value=1.0, exclude_min=True)
shares = st.floats(min_value=0.0, max_value=1.0)
valid_values = st.fixed_dictionaries(
    {},
    optional={
        "generator_complexity": st.integers(1, 1024),
        "discriminator_complexity": st.integers(1, 1024),
        "generator_lr": rates,
        "discriminator_lr": rates,
        "adversarial_factor": shares,
        "discriminator_every": st.integers(1, 100),
        "pretrain_epochs": st.integers(0, 100),
        "lr_decay": rates,
        "lr_decay_every_epochs": st.integers(1, 100),
        "dropout": shares,
        "smooth_upsampling": st.booleans(),
        "batch_size": st.integers(2, 512),
        "image_size": st.integers(1, 32).map(lambda n: 32 * n),
        "ema_images": st.integers(0, 10**6),
        "ema_share": rates,
        "loss_smoothing": shares,
        "window_steps": st.integers(1, 1000),
        "flip": st.booleans(),
        "crop_area": st.floats(0.1, 1.0),
        "precision": st.sampled_from(["auto", "float32", "bfloat16"]),
        "seed": st.integers(0, 2**63 - 1),
        "pretrain_seed": st.none() | st.integers(0, 2**63 - 1),
    },
)


@given(valid_values)
def test_settings_survive_json(values: dict[str, Any]) -> None:
    settings = TrainingSettings(**values)
    again = TrainingSettings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert again == settings
    assert settings.to_dict() == TrainingSettings().to_dict() | values


def test_every_setting_is_tested_here() -> None:
    names = {field.name for field in dataclasses.fields(TrainingSettings)}
    assert names == set(valid_values.wrapped_strategy.optional)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("generator_complexity", 0, "at least 1 and at most 1024"),
        ("generator_complexity", 1025, "at least 1 and at most 1024"),
        ("generator_complexity", 30.0, "whole number"),
        ("discriminator_complexity", True, "number"),
        ("discriminator_complexity", None, "number"),
        ("generator_lr", 0.0, "above 0 and at most 1"),
        ("generator_lr", -1e-4, "above 0 and at most 1"),
        ("generator_lr", "1e-4", "a number, such as 1 or 1.0e-4"),  # as YAML reads it
        ("discriminator_lr", float("nan"), "above 0 and at most 1"),
        ("discriminator_lr", float("inf"), "above 0 and at most 1"),
        ("discriminator_lr", [1e-4], "number"),
        ("adversarial_factor", 1.01, "at least 0.0 and at most 1.0"),
        ("adversarial_factor", float("nan"), "at least 0.0 and at most 1.0"),
        ("discriminator_every", 0, "at least 1"),
        ("pretrain_epochs", -1, "at least 0"),
        ("lr_decay", 1.5, "above 0 and at most 1"),
        ("ema_share", 0, "above 0 and at most 1"),
        ("lr_decay_every_epochs", 0, "at least 1"),
        ("dropout", -0.1, "at least 0.0"),
        ("batch_size", 1, "at least 2"),
        ("batch_size", "16", "number"),
        ("image_size", 100, "multiple of 32"),
        ("ema_images", -1, "at least 0"),
        ("loss_smoothing", 2, "at most 1.0"),
        ("window_steps", 0, "at least 1"),
        ("flip", "no", "true or false"),
        ("crop_area", 0.05, "at least 0.1 and at most 1.0"),
        ("crop_area", 1.5, "at least 0.1 and at most 1.0"),
        ("flip", 1, "true or false"),
        ("smooth_upsampling", 0, "true or false"),
        ("precision", "float16", "one of auto, float32, bfloat16"),
        ("precision", None, "one of auto, float32, bfloat16"),
        ("seed", -1, "at least 0"),
        ("seed", 2**64, "at most"),
        ("pretrain_seed", -1, "at least 0"),
    ],
)
def test_values_out_of_range_are_refused_in_one_line(name: str, value: Any, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        TrainingSettings.from_dict({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} must be ")
    assert rule in message
    assert f"but got {value!r}" in message
    assert "\n" not in message


@pytest.mark.parametrize("unknown", ["generator_learning_rate", 3, None])
def test_unknown_settings_are_refused_and_the_valid_ones_listed(unknown: Any) -> None:
    with pytest.raises(InputError) as caught:
        TrainingSettings.from_dict({unknown: 1, "dropout": 0.5})
    assert f"but got {unknown}" in str(caught.value)
    for field in dataclasses.fields(TrainingSettings):
        assert field.name in str(caught.value)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingSettings().seed = 1  # type: ignore[misc]


def test_factor_zero_is_no_adversarial_training() -> None:
    assert not TrainingSettings(adversarial_factor=0.0).adversarial
    assert TrainingSettings(adversarial_factor=1e-9).adversarial


def test_a_later_setting_leaves_the_identities_of_before() -> None:
    settings = TrainingSettings()
    assert settings.identity().keys() == settings.to_dict().keys() - {"ema_share"}
    changed = dataclasses.replace(settings, ema_share=0.2)
    assert changed.identity() == changed.to_dict()
