from __future__ import annotations

import pytest
import torch
from torch import nn

from models.metrics.names import METRICS
from models.metrics.validation import grey_baseline, validate
from models.networks.generator import Generator

CPU = torch.device("cpu")


def batches(n: int = 3) -> list[tuple[torch.Tensor, torch.Tensor]]:
    random = torch.Generator().manual_seed(0)
    return [
        (
            torch.rand(4, 1, 32, 32, generator=random) - 0.5,
            0.2 * torch.randn(4, 2, 32, 32, generator=random),
        )
        for _ in range(n)
    ]


class Painter(nn.Module):
    """Knows the answers by heart, and remembers how it was called."""

    def __init__(self, answers: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__()
        self.answers = answers
        self.calls: list[tuple[bool, bool]] = []

    def forward(self, L_N1HW: torch.Tensor) -> torch.Tensor:
        self.calls.append((self.training, torch.is_inference_mode_enabled()))
        return next(ab for L, ab in self.answers if torch.equal(L, L_N1HW))


def test_every_batch_is_seen_once_in_eval_mode_without_gradients() -> None:
    painter = Painter(batches())
    scores = validate(painter, iter(batches()), device=CPU)
    assert painter.calls == [(False, True)] * 3
    assert tuple(scores) == METRICS
    assert scores["grey_skill"] == 1


def test_validation_does_not_depend_on_dropout_or_change_the_generator() -> None:
    torch.manual_seed(0)
    generator = Generator(2)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    random_state = torch.get_rng_state()
    first = validate(generator, batches(), device=CPU)
    assert first == validate(generator, batches(), device=CPU)
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_each_layer_gets_its_own_mode_back_also_after_an_error() -> None:
    generator = Generator(2).train()
    generator.downs.eval()
    modes = [module.training for module in generator.modules()]
    validate(generator, batches(1), device=CPU)
    assert [module.training for module in generator.modules()] == modes
    with pytest.raises(RuntimeError):
        validate(generator, [(torch.zeros(1, 5, 32, 32), torch.zeros(1, 2, 32, 32))], device=CPU)
    assert [module.training for module in generator.modules()] == modes


def test_grey_baseline_is_what_a_grey_generator_scores() -> None:
    class Grey(nn.Module):
        def forward(self, L_N1HW: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(L_N1HW).repeat(1, 2, 1, 1)

    baseline = grey_baseline(batches())
    assert baseline == validate(Grey(), batches(), device=CPU)
    assert baseline["grey_skill"] == 0


def test_no_batches_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        validate(Generator(2), [], device=CPU)
