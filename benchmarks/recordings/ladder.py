"""Known damage to true colours, and the order in which an objective must see it.

    python -m benchmarks.recordings.ladder --images DIR --image-size 32 --out LADDER.json

Written down before any candidate was looked at. Demanded of every candidate, on each half of the
choose photos and on both:

- fading costs, and more fading costs more: truth < chroma x0.75 < chroma x0.5 < grey;
- wrong hues cost, and more so the more they are turned: truth < 15 degrees < 40 degrees;
- speckle costs: truth < speckle;
- colours of the right palette in wrong places cost, but less than none: truth < another photo's
  colours < grey, and less than one colour for all: another photo's colours < sepia.

Not demanded, as people would differ: where speckle, sepia and grey stand among each other, and
hues turned by 40 degrees against colours at half strength.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.recordings.evaluation import SETS, Evaluation
from benchmarks.recordings.judge import FULL_SIDE, FeatureNetwork
from benchmarks.recordings.partition import PhotoSets
from benchmarks.recordings.rows import compact
from data_pipeline.lab_tensor import AB_SCALE

#: standard deviation of the speckle, CIELAB units, independent for each pixel
SPECKLE = 8.0
#: the single colour of sepia, CIELAB units
SEPIA = (6.0, 22.0)
DEMANDED = (
    ("truth", "chroma x0.75"),
    ("chroma x0.75", "chroma x0.5"),
    ("chroma x0.5", "grey"),
    ("truth", "hue 15"),
    ("hue 15", "hue 40"),
    ("truth", "speckle"),
    ("truth", "another photo's"),
    ("another photo's", "grey"),
    ("another photo's", "sepia"),
)


def turn(ab_N2HW: Tensor, degrees: float) -> Tensor:
    """Turn all hues by an angle; chroma stays."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = ab_N2HW.unbind(dim=1)
    return torch.stack([cosine * a - sine * b, sine * a + cosine * b], dim=1)


def speckle(ab_N2HW: Tensor) -> Tensor:
    """Add fixed noise to every pixel."""
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(ab_N2HW.shape, generator=random)
    return (ab_N2HW + SPECKLE / AB_SCALE * noise).clamp(-1.0, 1.0)


def sepia(ab_N2HW: Tensor) -> Tensor:
    """One colour for every pixel."""
    return torch.tensor(SEPIA)[:, None, None].expand_as(ab_N2HW).contiguous() / AB_SCALE


RUNGS: dict[str, Callable[[Tensor], Tensor]] = {
    "truth": lambda ab: ab.clone(),
    "chroma x0.75": lambda ab: 0.75 * ab,
    "chroma x0.5": lambda ab: 0.5 * ab,
    "hue 15": lambda ab: turn(ab, 15.0),
    "hue 40": lambda ab: turn(ab, 40.0),
    "speckle": speckle,
    "another photo's": lambda ab: ab.roll(1, dims=0),
    "sepia": sepia,
    "grey": torch.zeros_like,
}


def climb(evaluation: Evaluation, full: Evaluation) -> dict[str, dict[str, dict[str, Any]]]:
    """Every measure of every rung, lists over `SETS`; `full` has the judge at its full size."""
    found = {}
    for name, damage in RUNGS.items():
        fakes = {n: damage(ab) for n, (_, ab) in evaluation.photos.items()}
        found[name] = evaluation.measure(fakes)
        for judge, values in full.judge(fakes).items():
            found[name]["judge"][f"{judge}_{FULL_SIDE}"] = values
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    photos = PhotoSets.open(options.images, image_size=options.image_size)
    found = climb(
        Evaluation(photos, FeatureNetwork()), Evaluation(photos, FeatureNetwork(side=FULL_SIDE))
    )
    options.out.write_text(
        json.dumps(compact({"image_size": options.image_size, "sets": SETS, "rungs": found})) + "\n"
    )


if __name__ == "__main__":
    main()
