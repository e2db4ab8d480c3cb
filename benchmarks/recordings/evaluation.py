"""Everything that is measured on the photos that a training does not see, set by set."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.recordings.discrimination import Discrimination, discrimination, logits
from benchmarks.recordings.duality import DualityGap, duality_gap
from benchmarks.recordings.judge import FeatureNetwork, kernel_distance, paired_distance
from benchmarks.recordings.partition import HELD_OUT, PhotoSets, to_codes
from benchmarks.recordings.set_swd import VARIANTS, pixel_vectors, sliced_wasserstein
from models.metrics.accumulate import ValidationMetrics
from models.metrics.discrimination import batch_statistics
from models.metrics.gamut import displayed_colors
from models.metrics.names import METRICS
from models.training.loop import Training

#: what a row's lists are about, in this order
SETS = ("choose_a", "choose_b", "choose", "test")
_MEMBERS = {
    "choose_a": ("choose_a",),
    "choose_b": ("choose_b",),
    "choose": ("choose_a", "choose_b"),
    "test": ("test",),
}
JUDGE_NAMES = ("kid", "feature_distance")
PHOTOS_AT_ONCE = 32

Values = dict[str, list[float]]


class Evaluation:
    """The held-out photos, with what is known of the originals computed once."""

    def __init__(self, photos: PhotoSets, features: FeatureNetwork) -> None:
        self.photos = {name: photos.load(name) for name in HELD_OUT}
        self._features = features
        self._real_features = {n: features(_rgb(L, ab)) for n, (L, ab) in self.photos.items()}
        self._real_pixels = {n: pixel_vectors(L, ab) for n, (L, ab) in self.photos.items()}

    def colorize(self, generator: nn.Module) -> dict[str, Tensor]:
        """The generator's ab of each set, in [-1, 1], in evaluation mode."""
        was_training = generator.training
        generator.eval()
        with torch.inference_mode():
            fakes = {
                name: torch.cat([generator(part) for part in L_N1HW.split(PHOTOS_AT_ONCE)])
                for name, (L_N1HW, _) in self.photos.items()
            }
        generator.train(was_training)
        return {name: fake_N2HW.contiguous() for name, fake_N2HW in fakes.items()}

    def measure(self, fakes: dict[str, Tensor], *, judge: bool = True) -> dict[str, Values]:
        """Metrics, candidates and judge of colours, each a list over `SETS`."""
        values = {"metrics": self._metrics(fakes), "candidates": self.candidates(fakes)}
        return values | {"judge": self.judge(fakes)} if judge else values

    def _metrics(self, fakes: dict[str, Tensor]) -> Values:
        accumulators = {name: ValidationMetrics() for name in SETS}
        for set_name, members in _MEMBERS.items():
            for member in members:
                if set_name == "choose":  # photo by photo the same: only the sums are joined
                    _join(accumulators["choose"], accumulators[member])
                else:
                    accumulators[set_name].update(*self.photos[member], fakes[member])
        computed = [accumulators[name].compute() for name in SETS]
        return {name: [values[name] for values in computed] for name in METRICS}

    def candidates(self, fakes: dict[str, Tensor]) -> Values:
        """The set-level distances that are no metric of the program yet."""
        with torch.inference_mode():
            pixels = {n: pixel_vectors(self.photos[n][0], fake) for n, fake in fakes.items()}
        return {
            variant: [
                sliced_wasserstein(
                    torch.cat([self._real_pixels[m] for m in members]),
                    torch.cat([pixels[m] for m in members]),
                    dimensions,
                )
                for members in _MEMBERS.values()
            ]
            for variant, dimensions in VARIANTS.items()
        }

    def judge(self, fakes: dict[str, Tensor]) -> Values:
        """The distances between the features of originals and of colours.

        NaN for sets of which `fakes` does not have all photos.
        """
        features = {
            name: self._features(_rgb(self.photos[name][0], fake)) for name, fake in fakes.items()
        }
        values: Values = {name: [] for name in JUDGE_NAMES}
        for members in _MEMBERS.values():
            if not set(members) <= set(fakes):
                for name in JUDGE_NAMES:
                    values[name].append(float("nan"))
                continue
            real = torch.cat([self._real_features[m] for m in members])
            fake = torch.cat([features[m] for m in members])
            values["kid"].append(kernel_distance(real, fake))
            values["feature_distance"].append(paired_distance(real, fake))
        return values

    def discriminate(self, training: Training, fakes: dict[str, Tensor]) -> Values:
        """How well the discriminator tells originals from outputs, and from what it trains on.

        `auc`, `probability_real`, `probability_fake` are about the outputs (averaged weights,
        evaluation mode), `training_*` about fakes as the training makes them.
        """
        size = training.settings.batch_size
        generator, discriminator = training.pair.generator, training.pair.discriminator
        raw = {}
        with torch.inference_mode(), batch_statistics(generator, dropout=True):
            for name, (L_N1HW, _) in self.photos.items():
                # Equal parts of at least a batch: BatchNorm cannot do with one photo.
                parts = L_N1HW.tensor_split(max(1, len(L_N1HW) // size))
                raw[name] = torch.cat([generator(part) for part in parts])
        values: Values = {}
        real_logits = {
            name: logits(discriminator, *self.photos[name], batch_size=size) for name in HELD_OUT
        }
        for prefix, kind in (("", fakes), ("training_", raw)):
            fake_logits = {
                name: logits(discriminator, self.photos[name][0], kind[name], batch_size=size)
                for name in HELD_OUT
            }
            found = [
                discrimination(
                    np.concatenate([real_logits[m] for m in members]),
                    np.concatenate([fake_logits[m] for m in members]),
                )
                for members in _MEMBERS.values()
            ]
            for field in Discrimination._fields:
                values[prefix + field] = [getattr(each, field) for each in found]
        return values

    def duality(self, training: Training) -> Values:
        """The duality gap and the losses that it is made of, see `duality`."""
        found = duality_gap(training, self.photos)
        sizes = {name: len(L_N1HW) for name, (L_N1HW, _) in self.photos.items()}
        values: Values = {}
        for field in (*DualityGap._fields, "gap"):
            values[field] = [
                float(
                    np.average(
                        [getattr(found[member], field) for member in members],
                        weights=[sizes[member] for member in members],
                    )
                )
                for members in _MEMBERS.values()
            ]
        return values


def output_codes(fakes: dict[str, Tensor]) -> dict[str, npt.NDArray[np.uint8]]:
    """The colours of each set as bytes, to be kept outside the repository."""
    return {name: to_codes(fake_N2HW) for name, fake_N2HW in fakes.items()}


def _rgb(L_N1HW: Tensor, ab_N2HW: Tensor) -> Tensor:
    with torch.inference_mode():
        return displayed_colors(L_N1HW, ab_N2HW).rgb


def _join(into: ValidationMetrics, other: ValidationMetrics) -> None:
    state: Any = into
    for name, value in other._sums.items():
        state._sums[name] = state._sums.get(name, 0.0) + value
    state._real_pixels += other._real_pixels
    state._fake_pixels += other._fake_pixels
    into.n_photos += other.n_photos
