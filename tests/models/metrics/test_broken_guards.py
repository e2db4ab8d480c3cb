"""Colours that fail the guards: what is said of them."""

from __future__ import annotations

from models.metrics.objective import Guard, Objective
from models.metrics.unseen import describe_broken_guards


def test_nothing_is_said_when_all_guards_hold() -> None:
    assert describe_broken_guards(Objective().guards, {"grey_skill": 0.1, "ab_hf_ratio": 1}) is None


def test_each_broken_guard_has_its_value_its_bound_and_a_remedy() -> None:
    metrics = {"grey_skill": -0.0213, "ab_hf_ratio": 3.999}
    said = describe_broken_guards(Objective().guards, metrics)
    assert said == (
        "grey_skill is -0.0213 and must be > 0, ab_hf_ratio is 4 and must be < 2; "
        "try more max_epochs or a lower adversarial_factor or smooth_upsampling: true"
    )


def test_a_guard_of_ones_own_on_a_metric_that_is_missing() -> None:
    said = describe_broken_guards([Guard.parse("psnr > 20")], {})
    assert said == "psnr is unknown and must be > 20; try more max_epochs or other guards"
