"""Steps on a CUDA device that is not there: fake tensors check devices, types and arguments.

All of a step but the way back, whose engine wants a real device, and the fused kernel of Adam,
which has no shapes to tell. A program of its own: PyTorch can crash when it destroys graphs of fake
CUDA tensors, so nothing is collected and the process ends without cleaning up.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from data_pipeline.batches import TrainingBatches
from models.training.device import Compute
from models.training.loop import Training
from models.training.step import StepKind
from tests.models.toys import tiny_settings

CUDA = torch.device("cuda", 0)
KINDS = (StepKind(False, False), StepKind(True, False), StepKind(True, True))
_kept: list[Any] = []


def main() -> None:
    gc.disable()
    warnings.simplefilter("ignore")
    patches = [
        mock.patch.object(nn.Module, "to", _to),
        mock.patch.object(Tensor, "pin_memory", lambda self: self),
        mock.patch("models.training.loop.GraphRecorder"),
    ]
    for patch in patches:
        patch.start()
    with FakeTensorMode(allow_non_fake_inputs=True):
        for kind in KINDS:
            for resident in (True, False):
                _step(kind, resident=resident)
                print(*kind, resident, flush=True)
    sys.stdout.flush()
    os._exit(0)


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


def _step(kind: StepKind, *, resident: bool) -> None:
    compute = Compute(
        device=CUDA, dtype=torch.float32, memory_format=torch.channels_last, captures=True
    )
    settings = tiny_settings(smooth_upsampling=True)
    cache: Any = type("Cache", (), {"pixels": np.zeros((8, 3, 32, 32), np.uint8), "image_size": 32})
    batches = TrainingBatches(
        cache, np.arange(8), batch_size=4, seed=0, resident_on=CUDA if resident else None
    )
    training = Training(settings, batches, compute)
    _kept.append(training)
    networks: list[nn.Module] = [training.pair.generator]
    if kind.train_discriminator:
        networks.append(training.pair.discriminator)
    learnt: list[int] = []

    def backward(loss: Tensor) -> None:
        _kept.append(loss)
        assert loss.device == CUDA
        for network in networks:
            for weights in network.parameters():
                weights.grad = torch.zeros_like(weights)

    def fused_adam(weights: list[Tensor], *others: list[Tensor], lr: Tensor, **_: Any) -> None:
        learnt.append(len(weights))
        assert all(tensor.device == CUDA for tensors in (weights, *others) for tensor in tensors)
        assert (lr.device, lr.dtype) == (CUDA, torch.float32)

    training._set_learning_rates()
    assert training.average
    training.average.schedule(batch_size=4, images_seen=4)
    draw = next(batches.draws(0))
    assert {tensor.device.type for tensor in draw} == {"cuda" if resident else "cpu"}
    with (
        mock.patch("torch.autograd.backward", backward),
        mock.patch("torch._fused_adam_", fused_adam),
    ):
        losses = training._train_on(kind, draw)
    assert (losses.device, losses.shape) == (CUDA, (7,))
    assert all(tensor.device == CUDA for tensor in training._tensors())
    assert sorted(learnt) == sorted(len(list(network.parameters())) for network in networks)


if __name__ == "__main__":
    main()
