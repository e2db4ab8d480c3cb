"""A small generator as if trained, and what its bundle says of it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from models.networks.generator import Generator

CONFIG = {
    "image_size": 64,
    "fit": "crop",
    "trial_id": "0007",
    "hyperparameters": {"generator_lr": 1e-4, "adversarial_factor": 0.1},
    "balance": {"parameter_ratio": 0.81},
    "metrics": {"l1": 0.06, "grey_skill": 0.07, "ab_swd": float("nan")},
    "grey_metrics": {"l1": 0.065, "grey_skill": 0.0},
    "data": {"source": "my photos", "photos": 123},
    "versions": {"torch": "2.11"},
}


def trained_generator(complexity: int = 4, *, smooth: bool = False) -> Generator:
    """A generator whose batch statistics are not the initial ones."""
    torch.manual_seed(0)
    generator = Generator(complexity, smooth_upsampling=smooth).train()
    with torch.no_grad():
        generator(torch.randn(4, 1, 64, 64))
        for parameter in generator.parameters():
            parameter.mul_(2.0)
    return generator.eval()


def edit_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
