"""How much memory a training needs on its device."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from models.training.device import resolve_compute
from models.training.settings import TrainingSettings
from models.training.step import AdversarialPair

#: photos of the step that is measured; memory grows with the batch
_PROBE_BATCH = 2
#: gradients of activations, the buffers of convolution algorithms and what an allocator wastes
_WORKSPACE = 2.0
#: what a process takes of a GPU before it holds a single tensor
CONTEXT_BYTES = 600 * 1024**2


def training_bytes(settings: TrainingSettings) -> int:
    """Estimate the bytes of device memory that training with `settings` takes at most.

    One small step is taken on the CPU and what autograd keeps for the way back is counted: that
    grows with the batch. Twice as much stands for gradients and workspace; weights count four
    times (gradient, two moments), the average of the generator once, and a GPU's context on top.
    An upper estimate: it counts float32, also where the networks compute in bfloat16.
    """
    probe = dataclasses.replace(settings, batch_size=_PROBE_BATCH, precision="float32")
    pair = AdversarialPair(probe, resolve_compute("cpu", "float32"))
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    side = settings.image_size
    L_N1HW = torch.zeros(_PROBE_BATCH, 1, side, side)
    ab_N2HW = torch.zeros(_PROBE_BATCH, 2, side, side)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        fake_N2HW = pair.generator(L_N1HW)
        # Held at the same time, so that none takes the place of another.
        judged = (pair.discriminator(L_N1HW, ab_N2HW), pair.discriminator(L_N1HW, fake_N2HW))
    del judged
    generator = sum(p.nbytes for p in pair.generator.parameters())
    discriminator = sum(p.nbytes for p in pair.discriminator.parameters())
    activations = (sum(kept.values()) - generator - discriminator) / _PROBE_BATCH
    weights = 4 * (generator + discriminator) + generator
    return int(_WORKSPACE * activations * settings.batch_size + weights + CONTEXT_BYTES)
