"""An ONNX graph from photo to photo: the generator with the conversions to and from CIELAB in it.

For web pages and other languages, which have no CIELAB of their own. It does what
`models.colorize.pixels` does for a photo of the network's size; formulas as in `data_pipeline.lab`.

Shapes: N photos, H and W pixels, both divisible by 32.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from data_pipeline.lab import DELTA, RGB_TO_XYZ, WHITE_D65
from data_pipeline.lab_tensor import AB_SCALE, L_HALF_RANGE, linear_to_srgb, srgb_to_linear
from models.bundle.onnx_export import write_graph
from models.colorize.pixels import HIGHEST_LINEAR, LOWEST_LINEAR
from models.networks.generator import Generator
from models.networks.sides import SIDE_MULTIPLE

RGB_ONNX_NAME = "generator_rgb.onnx"
INPUT_NAME = "rgb"
OUTPUT_NAME = "coloured"

_N_BISECTIONS = 4


class RgbGenerator(nn.Module):
    """Maps sRGB to coloured sRGB of the same lightness, both (N, 3, H, W) in [0, 1]."""

    luminance: Tensor
    to_rgb: Tensor

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = copy.deepcopy(generator).cpu().eval()
        scaled = torch.from_numpy(RGB_TO_XYZ / WHITE_D65[:, None])
        self.register_buffer("luminance", scaled[1].float().reshape(1, 3, 1, 1))
        self.register_buffer("to_rgb", torch.linalg.inv(scaled).float().reshape(3, 3, 1, 1))

    def forward(self, rgb_N3HW: Tensor) -> Tensor:
        """Colour photos; the lightness L* of each pixel stays, chroma beyond sRGB is reduced."""
        Y_N1HW = nn.functional.conv2d(srgb_to_linear(rgb_N3HW.clamp(0.0, 1.0)), self.luminance)
        curved = Y_N1HW.clamp_min(DELTA**3) ** (1 / 3)
        f_N1HW = curved + (Y_N1HW - Y_N1HW.clamp_min(DELTA**3)) / (3 * DELTA**2)
        L_N1HW = (116 * f_N1HW - 16) / L_HALF_RANGE - 1
        ab_N2HW = self.generator(L_N1HW) * AB_SCALE
        # what chroma adds to the cube roots of X and Z; that of Y is lightness
        xz_N2HW = torch.cat([ab_N2HW[:, :1] / 500, ab_N2HW[:, 1:] / -200], dim=1)
        return linear_to_srgb(self._inside(f_N1HW, Y_N1HW, xz_N2HW).clamp(0.0, 1.0))

    def _inside(self, f_N1HW: Tensor, Y_N1HW: Tensor, xz_N2HW: Tensor) -> Tensor:
        """Linear light, with chroma reduced at the same lightness and hue until sRGB has it."""

        def light(share_N1HW: Tensor) -> Tensor:
            root = f_N1HW + share_N1HW * xz_N2HW
            cubed = torch.where(root > DELTA, root**3, 3 * DELTA**2 * (root - 4 / 29))
            xyz_N3HW = torch.cat([cubed[:, :1], Y_N1HW, cubed[:, 1:]], dim=1)
            return nn.functional.conv2d(xyz_N3HW, self.to_rgb)

        def excess(rgb_N3HW: Tensor) -> Tensor:
            over = rgb_N3HW.amax(dim=1, keepdim=True) - 1
            return torch.maximum(over, -rgb_N3HW.amin(dim=1, keepdim=True))

        low, high = torch.zeros_like(Y_N1HW), torch.ones_like(Y_N1HW)
        whole = light(high)
        excess_low, excess_high = excess(light(low)), excess(whole)
        for _ in range(_N_BISECTIONS):
            middle = (low + high) / 2
            excess_middle = excess(light(middle))
            is_outside = excess_middle > 0
            low = torch.where(is_outside, low, middle)
            excess_low = torch.where(is_outside, excess_low, excess_middle)
            high = torch.where(is_outside, middle, high)
            excess_high = torch.where(is_outside, excess_middle, excess_high)
        # the edge lies where the straight line between the two excesses is zero
        step = (-excess_low / (excess_high - excess_low).clamp_min(1e-6)).clamp(0.0, 1.0)
        reduced = light(low + (high - low) * step)
        least = whole.amin(dim=1, keepdim=True)
        most = whole.amax(dim=1, keepdim=True)
        return torch.where((least <= LOWEST_LINEAR) | (most >= HIGHEST_LINEAR), reduced, whole)


def write_rgb_onnx(path: Path, generator: Generator, *, image_size: int) -> None:
    """Write `generator` from sRGB to sRGB to `path`.

    Input `rgb` and output `coloured` are float32 (batch, 3, height, width) in [0, 1]; batch is
    free, height and width are any multiples of 32, best so that the shorter is `image_size`, at
    which the network was trained.
    """
    write_graph(
        path,
        RgbGenerator(generator),
        torch.rand(2, 3, 2 * SIDE_MULTIPLE, 3 * SIDE_MULTIPLE),
        input_name=INPUT_NAME,
        output_name=OUTPUT_NAME,
        metadata={
            "format": "1",
            "image_size": str(image_size),
            "input": "sRGB in [0, 1]",
            "output": "sRGB in [0, 1]",
        },
    )
