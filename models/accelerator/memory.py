"""How much memory a training needs on its device: one estimate, for whoever has to know."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from data_pipeline.cache.prepare import crop_side
from models.networks.discriminator import Discriminator
from models.networks.generator import Generator
from models.training.settings import TrainingSettings

#: gradients of activations, the buffers of convolution algorithms and what an allocator wastes
_WORKSPACE = 2.0
#: what a process takes of a GPU before it holds a single tensor
CONTEXT_BYTES = 600 * 1024**2


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes of device memory that a training takes at most, by what they are for."""

    #: both networks, and the average of the generator
    weights: int
    #: gradients and both moments of Adam
    optimizers: int
    #: what a step keeps for its way back, with gradients and workspace
    activations: int
    #: the training photos, 3 bytes a pixel, where they lie on the device
    photos: int
    #: the pool of recorded steps, which have activations of their own
    captures: int

    @property
    def tensors(self) -> int:
        """All that PyTorch's allocator hands out; compare `torch.cuda.max_memory_allocated`."""
        return self.weights + self.optimizers + self.activations + self.photos + self.captures

    @property
    def total(self) -> int:
        """Bytes of the GPU, the process's context included."""
        return self.tensors + CONTEXT_BYTES


def estimate_memory(settings: TrainingSettings, *, n_photos: int) -> TrainingMemory:
    """Estimate the memory of a training on `n_photos` photos that lie on its GPU.

    An upper estimate: what autograd keeps is counted in float32, also where the networks compute
    in bfloat16. It is counted on tensors without contents, so it costs neither time nor memory.
    """
    side, n = settings.image_size, settings.batch_size
    with torch.device("meta"):
        generator = Generator.from_settings(settings)
        discriminator = Discriminator(settings.discriminator_complexity, image_size=side)
        L_N1HW, ab_N2HW = torch.empty(n, 1, side, side), torch.empty(n, 2, side, side)
    kept: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> Tensor:
        # Held, so that no other takes its place.
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        fake_N2HW = generator(L_N1HW)
        judged = (discriminator(L_N1HW, ab_N2HW), discriminator(L_N1HW, fake_N2HW))
    del judged
    of_generator = sum(p.nbytes for p in generator.parameters())
    of_both = of_generator + sum(p.nbytes for p in discriminator.parameters())
    parameters = {
        p.untyped_storage()._cdata for net in (generator, discriminator) for p in net.parameters()
    }
    activations = int(
        _WORKSPACE
        * sum(t.untyped_storage().nbytes() for key, t in kept.items() if key not in parameters)
    )
    return TrainingMemory(
        weights=of_both + of_generator,
        optimizers=3 * of_both,
        activations=activations,
        photos=n_photos * 3 * (crop_side(side) if settings.crop_area < 1 else side) ** 2,
        captures=activations,
    )


def photos_fit(
    settings: TrainingSettings, device: torch.device, *, n_photos: int, gpu_share: float
) -> bool:
    """Whether a training's photos may lie on its GPU, of which it may use the share `gpu_share`."""
    if device.type != "cuda":
        return False
    free, total = torch.cuda.mem_get_info(device)
    # By now this process has its context, and trials beside it may have taken their share.
    need = estimate_memory(settings, n_photos=n_photos)
    return need.total <= gpu_share * total and need.tensors <= free
