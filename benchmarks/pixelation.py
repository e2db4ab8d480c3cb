"""Where the pixelated look of adversarial colours comes from, and what takes it away.

    python -m benchmarks.pixelation --images DIR [--epochs 2] [--seeds 3] [--json FILE]

A wide discriminator (30 against 32 at 64 pixels, a ratio of 1.3) at the report's learning rate of
7e-5 and factor of 0.1 makes the look come quickly. One thing is changed at a time: no adversarial
loss; no flat linear layer at the discriminator's end (a weight a channel for the mean over the
pixels instead of a weight a pixel); no freedom of the generator to draw cell by cell
(`smooth_upsampling`).

`ab_hf_ratio` is the energy of ab minus its 3x3 box mean over that of the originals. *Checkered* is
the share of that energy in a pattern that repeats every two pixels throughout a photo.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.default_training import make_parser, start_training, validate_held_out
from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import split_by_content
from models.training.device import DeviceName
from models.training.optimizer import make_adam
from models.training.settings import TrainingSettings
from models.training.step import AdversarialPair

REPORT = TrainingSettings(
    generator_complexity=30,
    discriminator_complexity=32,
    generator_lr=7e-5,
    discriminator_lr=7e-5,
    adversarial_factor=0.1,
    image_size=64,
)
MEASURES = ("ab_hf_ratio", "checkered", "chroma_log_ratio", "ab_swd", "grey_skill")


class PooledHead(nn.Module):
    """A linear unit on each channel's mean, in place of a weight a pixel: (N, c d d) -> (N, 1).

    The discriminator divides by c; multiplied by it here, the means are heard as loudly as needed.
    """

    def __init__(self, complexity: int) -> None:
        super().__init__()
        self.complexity = complexity
        self.linear = nn.Linear(complexity, 1)

    def forward(self, flat: Tensor) -> Tensor:
        means = flat.view(len(flat), self.complexity, -1).mean(dim=2)
        logits: Tensor = self.linear(means) * self.complexity
        return logits


def take_flat_layer_away(pair: AdversarialPair) -> None:
    """Replace the discriminator's last layer."""
    discriminator = pair.discriminator
    discriminator.linear = PooledHead(discriminator.complexity)  # type: ignore[assignment]
    discriminator.to(pair.compute.device)
    pair.discriminator_optimizer = make_adam(
        discriminator, pair.settings.discriminator_lr, pair.compute
    )


#: name -> (settings, what is done to the networks)
VARIANTS: dict[str, tuple[TrainingSettings, Callable[[AdversarialPair], None] | None]] = {
    "the report's networks": (REPORT, None),
    "no adversarial loss": (replace(REPORT, adversarial_factor=0.0), None),
    "no flat linear layer": (REPORT, take_flat_layer_away),
    "smooth upsampling": (replace(REPORT, smooth_upsampling=True), None),
}


def main() -> None:
    options = make_parser(__doc__, epochs=2).parse_args()
    torch.set_num_threads(options.threads)
    cache = build_cache(open_source(options.images), image_size=options.image_size)
    rows = []
    for seed in range(options.seeds):
        for name in VARIANTS:
            rows.append(train(cache, name, seed=seed, epochs=options.epochs, device=options.device))
            print(json.dumps(rows[-1]), flush=True)
    print(f"{'':24}" + "".join(f"{measure:>20}" for measure in MEASURES))
    for name in VARIANTS:
        cells = []
        for measure in MEASURES:
            values = [row[measure] for row in rows if row["variant"] == name]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.mean(values):.3f} ({spread:.3f})")
        print(f"{name:24}" + "".join(f"{cell:>20}" for cell in cells))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def train(
    cache: PhotoCache, variant: str, *, seed: int, epochs: int, device: DeviceName
) -> dict[str, Any]:
    """Train one variant; its measures on held-out photos."""
    settings, change = VARIANTS[variant]
    settings = replace(settings, seed=seed, image_size=cache.image_size)
    training = start_training(cache, settings, device=device)
    if change:
        change(training.pair)
    for _ in range(epochs):
        for _ in training.run_epoch():
            pass
    network, place = training.generator.eval(), training.compute.device
    indices = split_by_content(cache.hashes).validation[:128]
    with torch.inference_mode():
        fake_N2HW = torch.cat([network(load_batch(cache, [i], place)[0]) for i in indices])
    metrics = validate_held_out(network, cache) | {"checkered": checkered(fake_N2HW)}
    return {"variant": variant, "seed": seed, **{name: metrics[name] for name in MEASURES}}


def checkered(ab_N2HW: Tensor) -> float:
    """The share of the fine energy of ab that repeats every two pixels throughout a photo."""
    padded = functional.pad(ab_N2HW, (1, 1, 1, 1), mode="replicate")
    fine = ab_N2HW - functional.avg_pool2d(padded, kernel_size=3, stride=1)
    n, _, height, width = fine.shape
    cells = fine.view(n, 2, height // 2, 2, width // 2, 2)
    return float(cells.mean(dim=(2, 4)).square().mean() / fine.square().mean())


if __name__ == "__main__":
    main()
