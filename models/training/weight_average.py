"""An exponential moving average of the generator's weights.

Raw GAN weights jump from step to step; their average colours better (Yazici et al. 2019, "The
Unusual Effectiveness of Averaging in GAN Training", https://arxiv.org/abs/1806.04498). The decay is
a half-life in images with a ramp-up at the start, as in StyleGAN2-ADA (Karras et al. 2020,
appendix B, https://arxiv.org/abs/2006.06676).
"""

from __future__ import annotations

import copy

import torch

from models.networks.generator import Generator


class WeightAverage:
    """Averaged copy of a generator; `network` is what is validated and exported.

    Args:
        generator: to be averaged.
        half_life_images: after so many images a weight counts half ...
        share_of_seen: ... but after this share of all images seen so far, if that is less.
        captures: the share by which it moves lies on the device, for steps that are recorded.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        half_life_images: int,
        share_of_seen: float = 0.1,
        captures: bool = False,
    ) -> None:
        self._half_life_images = half_life_images
        self._share_of_seen = share_of_seen
        self.network = copy.deepcopy(generator).requires_grad_(False)
        self._averages = _float_state(self.network)
        self._sources = _float_state(generator)
        self._share = 1.0
        self._share_tensor = self._averages[0].new_ones(()) if captures else None

    def schedule(self, *, batch_size: int, images_seen: int) -> None:
        """Set how far the next updates move, after training on `images_seen` images."""
        half_life = min(float(self._half_life_images), images_seen * self._share_of_seen)
        decay = 0.5 ** (batch_size / half_life) if half_life > 0 else 0.0
        self._share = 1.0 - decay
        if self._share_tensor is not None:
            self._share_tensor.fill_(self._share)

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the generator's present weights (and BatchNorm statistics)."""
        if self._share_tensor is None:
            torch._foreach_lerp_(self._averages, self._sources, self._share)
            return
        # `lerp` with a tensor would take a kernel for each layer.
        gaps = torch._foreach_sub(self._sources, self._averages)
        torch._foreach_mul_(gaps, self._share_tensor)
        torch._foreach_add_(self._averages, gaps)


def _float_state(network: Generator) -> list[torch.Tensor]:
    # state_dict() gives views of the live tensors; the integer batch counters do not average.
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
