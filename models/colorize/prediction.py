"""What the network is shown of a photo, and its answer: chroma at the network's size.

The network is shown squares of the side it was trained at, because it fails on others: on 100
held-out photos of 2:1 the mean chroma error of a 64-pixel network rose from 0.079 in squares to
0.107 on the whole width at once. So a photo is scaled until its shorter side is that side, keeping
its proportions, and is covered with overlapping squares whose answers fade into each other. A
network that was trained on squashed photos is shown the squashed photo.

Shapes: S is the side of the training photos, n the number of squares of a photo; h and w are the
pixels of the photo at the network's size.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from data_pipeline.decode.photo import Fit
from data_pipeline.lab_tensor import AB_SCALE, L_HALF_RANGE
from models.networks.generator import Generator

FloatArray = npt.NDArray[np.float32]

#: a panorama is scaled down until it is at most this many times as long as a training photo
MAX_LENGTH = 8
#: distance of two squares as a part of their side: 3:2 and 16:9 photos have two, 2:1 has three
STRIDE = 0.8
#: a batch has at most so many values in a layer of full width: 32 MB, of which a few are held
MAX_FEATURE_VALUES = 2**23


def network_size(height: int, width: int, image_size: int, fit: Fit) -> tuple[int, int]:
    """Size (h, w) at which the network sees a photo of `height` x `width` pixels."""
    if fit == "squash":
        return image_size, image_size
    scale = min(image_size / min(height, width), MAX_LENGTH * image_size / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def cut_squares(L_hw: FloatArray, image_size: int) -> FloatArray:
    """Cover a photo's lightness with squares: (n, S, S). What is too narrow is reflected."""
    S = image_size
    h, w = L_hw.shape
    filled = np.pad(L_hw, ((0, max(0, S - h)), (0, max(0, S - w))), mode="symmetric")
    return np.stack(
        [filled[top : top + S, left : left + S] for top in _starts(h, S) for left in _starts(w, S)]
    )


def join_squares(ab_n2SS: FloatArray, h: int, w: int) -> FloatArray:
    """Undo `cut_squares` for the network's answers: (2, h, w), squares fading into each other."""
    S = ab_n2SS.shape[-1]
    tops, lefts = _starts(h, S), _starts(w, S)
    if len(ab_n2SS) == 1:
        return ab_n2SS[0, :, :h, :w]
    total = np.zeros((2, max(h, S), max(w, S)), np.float32)
    weight = np.zeros(total.shape[1:], np.float32)
    ramp = np.minimum(np.arange(S) + 0.5, S - np.arange(S) - 0.5).astype(np.float32)
    # only the sides where squares meet fade: there is one row of squares, or one column
    fade = np.broadcast_to(ramp[None, :] if len(lefts) > 1 else ramp[:, None], (S, S))
    corners = [(top, left) for top in tops for left in lefts]
    for ab_2SS, (top, left) in zip(ab_n2SS, corners, strict=True):
        total[:, top : top + S, left : left + S] += ab_2SS * fade
        weight[top : top + S, left : left + S] += fade
    total /= weight
    return total[:, :h, :w]


@torch.inference_mode()
def predict_chroma(generator: Generator, L_nSS: FloatArray) -> FloatArray:
    """Predict a*, b* (n, 2, S, S) of squares of lightness, all in CIELAB units, in large batches.

    `generator` must be in eval mode.
    """
    device = next(generator.parameters()).device
    n, S, _ = L_nSS.shape
    step = max(1, MAX_FEATURE_VALUES // (generator.complexity * S * S))
    ab_n2SS = np.empty((n, 2, S, S), np.float32)
    for first in range(0, n, step):
        part = torch.from_numpy(L_nSS[first : first + step, None])
        # Convolutions follow their input; in this order a processor needs 0.6 of the time.
        L_N1SS = torch.empty(part.shape, device=device, memory_format=torch.channels_last)
        L_N1SS.copy_(part)
        ab_n2SS[first : first + step] = (generator(L_N1SS / L_HALF_RANGE - 1.0) * AB_SCALE).cpu()
    return ab_n2SS


def _starts(length: int, side: int) -> list[int]:
    """Where squares start along a length, evenly spread."""
    if length <= side:
        return [0]
    n = math.ceil((length - side) / (STRIDE * side)) + 1
    return [round(i * (length - side) / (n - 1)) for i in range(n)]
