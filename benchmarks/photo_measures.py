"""Measures of a generator's colours on a set of photos, each with its 90 % interval over photos.

The intervals of all but the kernel distance (KID) come from sets drawn with replacement, as those
of the program's own metrics do (`models/metrics/accumulate.py`). KID compares each photo with each
other one, and the copies of a photo that such sets hold would count as agreement; its interval
comes from 1,000 random halves of the photos, whose spread is that of whole sets (delete-half
jackknife: Shao and Wu, "A General Theory for Jackknife Variance Estimation", Annals of Statistics
17, 1989, https://doi.org/10.1214/aos/1176347263). All generators see the same sets.

Shapes: N photos, B = 1,000 sets, S statistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.metrics.accumulate import MOMENTS, RESAMPLES, bias_corrected, resampled_means
from models.metrics.distributions import (
    AbGaussian,
    ab_hf_ratio,
    ab_moments,
    colorfulness,
    frechet_ab,
    hf_energy,
)
from models.metrics.faults import REGIONS, green_kept, hue_error, orange_skies, ratio
from models.metrics.gamut import Colors, displayed_colors
from models.metrics.paired import grey_skill, l1
from models.metrics.unseen import CONFIDENCE, MetricInterval

PHOTOS_AT_ONCE = 32
KID, KID_SHARE = "kid", "kid_share"

Floats = npt.NDArray[np.float64]
#: sRGB photos in [0, 1], (N, 3, H, W), to features, (N, F)
Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Measured:
    """What is known of one generator's colours."""

    measures: dict[str, MetricInterval]
    #: KID of the random halves, (B,), by which generators are compared
    kid_of_halves: Floats


class PhotoMeasures:
    """The photos to measure on, with what is known of the originals computed once.

    Args:
        L_N1HW: lightness in [-1, 1].
        ab_N2HW: true colours in [-1, 1].
        features: the judge.
    """

    def __init__(self, L_N1HW: Tensor, ab_N2HW: Tensor, features: Features) -> None:
        self.L, self.ab = L_N1HW, ab_N2HW
        self._features = features
        self._real_NF = self._features_of(ab_N2HW)
        n = len(L_N1HW)
        halves = np.random.default_rng(0).permuted(np.tile(np.arange(n), (RESAMPLES, 1)), axis=1)
        self._halves_BN = (halves < n // 2).astype(np.float64)

    def measure(self, fake_N2HW: Tensor) -> Measured:
        """All measures of colours in [-1, 1] but the share of another's KID."""
        columns, columns_NS = self._statistics(fake_N2HW)
        n = len(columns_NS)
        values = measures_of(dict(zip(columns, columns_NS.mean(axis=0).tolist(), strict=True)))
        resampled = [
            measures_of(dict(zip(columns, means, strict=True)))
            for means in resampled_means(columns_NS).tolist()
        ]
        kid, kid_B = self._kernel_distances(self._features_of(fake_N2HW))
        measures = {KID: MetricInterval(kid, *_ends(kid_B))}
        for name, value in values.items():
            measures[name] = bias_corrected(value, np.array([each[name] for each in resampled]), n)
        return Measured(measures, kid_B)

    def _features_of(self, ab_N2HW: Tensor) -> Tensor:
        parts = zip(self.L.split(PHOTOS_AT_ONCE), ab_N2HW.split(PHOTOS_AT_ONCE), strict=True)
        return torch.cat([self._features(displayed_colors(L, ab).rgb) for L, ab in parts])

    def _statistics(self, fake_N2HW: Tensor) -> tuple[list[str], Floats]:
        columns: dict[str, list[Tensor]] = {}
        batches = (tensor.split(PHOTOS_AT_ONCE) for tensor in (self.L, self.ab, fake_N2HW))
        for L, ab, fake in zip(*batches, strict=True):
            found = photo_statistics(displayed_colors(L, ab), displayed_colors(L, fake))
            for name, value_N in found.items():
                columns.setdefault(name, []).append(value_N)
        stacked = torch.stack([torch.cat(parts).double() for parts in columns.values()], dim=1)
        return list(columns), stacked.numpy()

    def _kernel_distances(self, fake_NF: Tensor) -> tuple[float, Floats]:
        """KID x 1000 (`judge.kernel_distance`) of all photos and of the halves."""
        real_NF, n_features = self._real_NF, self._real_NF.shape[1]

        def kernel(x_NF: Tensor, y_NF: Tensor) -> Tensor:
            return (x_NF @ y_NF.T / n_features + 1.0) ** 3

        cross_NN = kernel(real_NF, fake_NF)
        pairs_NN = kernel(real_NF, real_NF) + kernel(fake_NF, fake_NF) - cross_NN - cross_NN.T
        pairs = pairs_NN.fill_diagonal_(0.0).numpy()
        n, half = len(pairs), len(pairs) // 2
        halves_B = ((self._halves_BN @ pairs) * self._halves_BN).sum(axis=1)
        return 1000.0 * float(pairs.sum()) / (n * (n - 1)), 1000.0 * halves_B / (half * (half - 1))


def share_of(measured: Measured, others: Sequence[Measured]) -> MetricInterval:
    """KID as a share of the mean KID of other generators, on the same photos and halves."""
    reference = float(np.mean([other.measures[KID].value for other in others]))
    reference_B = np.mean([other.kid_of_halves for other in others], axis=0)
    value = ratio(measured.measures[KID].value, reference)
    return MetricInterval(value, *_ends(measured.kid_of_halves / reference_B))


def photo_statistics(real: Colors, fake: Colors) -> dict[str, Tensor]:
    """What `measures_of` needs to know of each photo: named values of shape (N,)."""
    found = {
        "l1": l1(real.ab, fake.ab),
        "grey_l1": l1(real.ab, torch.zeros_like(real.ab)),
        "real_colorfulness": colorfulness(real.rgb),
        "fake_colorfulness": colorfulness(fake.rgb),
        "real_hf_energy": hf_energy(real.ab),
        "fake_hf_energy": hf_energy(fake.ab),
    }
    for side, colors in (("real", real), ("fake", fake)):
        moments = zip(MOMENTS, ab_moments(colors.ab).unbind(dim=1), strict=True)
        found |= {f"{side}_{name}": values for name, values in moments}
    errors_N32 = hue_error(real.ab, fake.ab)
    pairs = {
        "green_kept": green_kept(real.ab, fake.ab),
        **{f"hue_error_{name}": errors_N32[:, i] for i, name in enumerate(REGIONS)},
        "orange_sky": orange_skies(real.lab, fake.ab),
    }
    for name, pair_N2 in pairs.items():
        found[f"{name}_part"], found[f"{name}_whole"] = pair_N2.unbind(dim=1)
    return found


def measures_of(mean: Mapping[str, float]) -> dict[str, float]:
    """The measures from the means of `photo_statistics` over a set."""

    def gaussian(of: str) -> AbGaussian:
        return AbGaussian.from_moments(*(mean[f"{of}_{name}"] for name in MOMENTS))

    distance = frechet_ab(gaussian("real"), gaussian("fake"))
    grey_distance = frechet_ab(gaussian("real"), AbGaussian.from_moments(0.0, 0.0, 0.0, 0.0, 0.0))
    faults = ["green_kept", *(f"hue_error_{name}" for name in REGIONS), "orange_sky"]
    return {
        "grey_skill": grey_skill(mean["l1"], mean["grey_l1"]),
        "colorfulness": mean["fake_colorfulness"],
        "colorfulness_share": ratio(mean["fake_colorfulness"], mean["real_colorfulness"]),
        "ab_hf_ratio": ab_hf_ratio(mean["real_hf_energy"], mean["fake_hf_energy"]),
        "frechet_ab": distance,
        "frechet_ab_share": ratio(distance, grey_distance),
        **{name: ratio(mean[f"{name}_part"], mean[f"{name}_whole"]) for name in faults},
    }


def _ends(drawn_B: Floats) -> tuple[float, float]:
    if not np.isfinite(drawn_B).all():
        return math.nan, math.nan
    low, high = np.quantile(drawn_B, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return low, high
