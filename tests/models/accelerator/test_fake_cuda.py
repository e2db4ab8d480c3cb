"""A step on a CUDA device that is not there: fake tensors check devices, types and arguments.

All of a step but the way back, whose engine wants a real device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from data_pipeline.batches import Decoder, TrainingBatches
from models.training.device import Compute
from models.training.loop import Training
from models.training.step import StepKind
from tests.models.toys import tiny_settings

CUDA = torch.device("cuda", 0)


def _to(self: nn.Module, *, device: torch.device, memory_format: torch.memory_format) -> nn.Module:
    """What `Module.to` does, which cannot exchange fake parameters."""
    for module in self.modules():
        for name, weights in module._parameters.items():
            if weights is not None:
                layout = memory_format if weights.dim() == 4 else torch.preserve_format
                moved = weights.detach().to(device, memory_format=layout)
                module._parameters[name] = nn.Parameter(moved)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
    return self


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(nn.Module, "to", _to)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


@pytest.mark.usefixtures("fake_cuda")
@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize(
    "kind", [StepKind(False, False), StepKind(True, False), StepKind(True, True)]
)
def test_a_step_stays_on_its_device(
    kind: StepKind, resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = Compute(
        device=CUDA, dtype=torch.float32, memory_format=torch.channels_last, captures=True
    )
    monkeypatch.setattr("models.training.loop.GraphRecorder", lambda device: None)
    settings = tiny_settings(smooth_upsampling=True)
    codes = np.zeros((8, 3, 32, 32), np.uint8)
    cache: Any = type("Cache", (), {"pixels": codes, "image_size": 32})
    batches = TrainingBatches(
        cache, np.arange(8), batch_size=4, seed=0, resident_on=CUDA if resident else None
    )
    training = Training(settings, batches, compute)
    pair = training.pair
    networks = {pair.generator: pair.generator_optimizer}
    if kind.train_discriminator:
        networks[pair.discriminator] = pair.discriminator_optimizer  # type: ignore[index]

    def backward(loss: Tensor) -> None:
        assert loss.device == CUDA
        for network in networks:
            for weights in network.parameters():
                weights.grad = torch.zeros_like(weights)

    monkeypatch.setattr(torch.autograd, "backward", backward)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)
    training._set_learning_rates()
    assert training.average
    training.average.schedule(batch_size=4, images_seen=4)
    draw = next(batches.draws(0))
    assert {tensor.device.type for tensor in draw} == {"cuda" if resident else "cpu"}
    losses = training._train_on(kind, draw)
    assert (losses.device, losses.shape) == (CUDA, (7,))
    assert all(tensor.device == CUDA for tensor in training._tensors())
    for optimizer in networks.values():
        assert optimizer.param_groups[0]["lr"].device == CUDA
        assert len(optimizer.state) == len(optimizer.param_groups[0]["params"])


@pytest.mark.usefixtures("fake_cuda")
def test_codes_are_looked_up_on_their_device() -> None:
    codes_N3HW = torch.zeros(2, 3, 32, 32, dtype=torch.uint8, device=CUDA)
    L_N1HW, ab_N2HW = Decoder()(codes_N3HW)
    assert (L_N1HW.device, L_N1HW.shape, ab_N2HW.shape) == (CUDA, (2, 1, 32, 32), (2, 2, 32, 32))
