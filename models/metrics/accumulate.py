"""The validation metrics of a set of photos, batch by batch, in 12 KB a photo.

What they mean, their formulas and their sources stand with each function: `paired` and `delta_e`
(how far is each pixel from its original; these prefer grey to honest colours), `distributions` and
`set_swd` (are the colours distributed as in photos) and `gamut` (all are computed on colours as a
screen shows them).

Shapes: N photos, H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.metrics.delta_e import delta_e
from models.metrics.distributions import (
    AbGaussian,
    ab_hf_ratio,
    ab_moments,
    ab_swd,
    chroma_log_ratio,
    colorfulness,
    frechet_ab,
    hf_energy,
    mean_chroma,
)
from models.metrics.gamut import Colors, displayed_colors
from models.metrics.names import METRICS
from models.metrics.paired import grey_skill, l1, psnr, ssim
from models.metrics.set_swd import photo_shares, pixel_vectors, sliced_wasserstein
from models.metrics.unseen import CONFIDENCE, MetricInterval

#: the mean moments of ab that the Frechet distance needs
MOMENTS: Final = ("a", "b", "aa", "bb", "ab")

# Photos of 64 px that fit a core's cache together; larger blocks wait for memory instead.
PIXELS_AT_ONCE = 16 * 64 * 64
#: sets that `compute_intervals` draws: enough for the 5 % quantiles to a tenth of the width
RESAMPLES: Final = 1000
_NORMAL: Final = NormalDist()


class ValidationMetrics:
    """Accumulates photos with `update` and answers with `compute`.

    Every photo has the same weight, whatever its size, and the answer does not depend on how the
    photos were grouped into batches (but for rounding). Metrics of single photos are averaged;
    `grey_skill`, `chroma_log_ratio`, `frechet_ab` and `ab_hf_ratio` are formed from the means over
    the set. One NaN among the predicted colours makes every metric NaN.
    """

    def __init__(self) -> None:
        self.n_photos = 0
        self._sums: dict[str, float] = {}
        #: sampled pixels of the photos, (N, 256, 6) of each batch
        self._real_pixels: list[Tensor] = []
        self._fake_pixels: list[Tensor] = []
        #: statistics of the photos, (N, S) of each batch, in the order of `_sums`
        self._statistics: list[Tensor] = []

    def update(self, L_N1HW: Tensor, real_ab_N2HW: Tensor, fake_ab_N2HW: Tensor) -> None:
        """Add N photos: L in [-1, 1] (`L/50 - 1`), real and fake ab in [-1, 1] (`/127`).

        The three tensors share a device, on which the work is done. Raises ValueError if their
        shapes do not fit together.
        """
        n_photos, channels, height, width = L_N1HW.shape
        if channels != 1 or not (
            real_ab_N2HW.shape == fake_ab_N2HW.shape == (n_photos, 2, height, width)
        ):
            raise ValueError(
                "L, real_ab and fake_ab must be (N, 1, H, W), (N, 2, H, W) and (N, 2, H, W), "
                f"but got {tuple(L_N1HW.shape)}, {tuple(real_ab_N2HW.shape)} and "
                f"{tuple(fake_ab_N2HW.shape)}"
            )
        block = max(1, PIXELS_AT_ONCE // (height * width))
        if L_N1HW.device.type != "cpu":
            block = n_photos  # a GPU is faster the more it has at once
        # The caller may run its networks in bfloat16; metrics need all digits.
        exactly = torch.autocast(L_N1HW.device.type, enabled=False)
        with torch.inference_mode(), exactly:
            for i in range(0, n_photos, block):
                part = slice(i, i + block)
                real = displayed_colors(L_N1HW[part], real_ab_N2HW[part])
                fake = displayed_colors(L_N1HW[part], fake_ab_N2HW[part])
                self._add(_statistics(real, fake))
                self._real_pixels.append(pixel_vectors(real).cpu())
                self._fake_pixels.append(pixel_vectors(fake).cpu())
        self.n_photos += n_photos

    def _add(self, statistics: dict[str, Tensor]) -> None:
        # Summed on the CPU, because not every accelerator has float64.
        statistics_SN = torch.stack(list(statistics.values())).cpu().double()
        self._statistics.append(statistics_SN.T)
        for name, value in zip(statistics, statistics_SN.sum(dim=1).tolist(), strict=True):
            self._sums[name] = self._sums.get(name, 0.0) + value

    def compute(self) -> dict[str, float]:
        """Return every metric of `METRICS`, in that order; ValueError without any photo."""
        if not self.n_photos:
            raise ValueError("metrics need at least one photo, but none was added")
        mean = {name: value / self.n_photos for name, value in self._sums.items()}
        distance = sliced_wasserstein(torch.cat(self._real_pixels), torch.cat(self._fake_pixels))
        return _metrics_of(mean, distance)

    def compute_intervals(self) -> dict[str, MetricInterval]:
        """As `compute`, each metric with the interval that holds its true value in 90 % of cases.

        The true value is that of ever more photos of the same kind. 1,000 sets are drawn from the
        photos, each as large and with replacement, always the same ones for a number of photos; the
        ends are quantiles of their metrics, corrected for the median's bias (Efron and Tibshirani,
        "An Introduction to the Bootstrap", 1993, section 14.3, without acceleration) and for few
        photos.
        NaN where a metric is, and for one photo, which says nothing of others.
        """
        values = self.compute()
        pixels = torch.cat(self._real_pixels), torch.cat(self._fake_pixels)
        statistics_NS = torch.cat(self._statistics)
        columns_NS = torch.cat([statistics_NS, photo_shares(*pixels)[:, None]], dim=1).numpy()
        n = self.n_photos
        resampled = [
            _metrics_of(dict(zip(self._sums, means[:-1], strict=True)), means[-1])
            for means in resampled_means(columns_NS).tolist()
        ]
        return {
            name: bias_corrected(value, np.array([each[name] for each in resampled]), n)
            for name, value in values.items()
        }


def _metrics_of(mean: Mapping[str, float], distance: float) -> dict[str, float]:
    """Every metric from the means of `_statistics` over a set and its `sliced_wasserstein`."""

    def gaussian(of: str) -> AbGaussian:
        return AbGaussian.from_moments(*(mean[f"{of}_{name}"] for name in MOMENTS))

    values = {
        **{name: mean[name] for name in ("l1", "psnr", "ssim", "delta_e", "ab_swd")},
        "grey_skill": grey_skill(mean["l1"], mean["grey_l1"]),
        "colorfulness": mean["fake_colorfulness"],
        "colorfulness_gap": mean["fake_colorfulness"] - mean["real_colorfulness"],
        "chroma_log_ratio": chroma_log_ratio(mean["real_chroma"], mean["fake_chroma"]),
        "frechet_ab": frechet_ab(gaussian("real"), gaussian("fake")),
        "ab_hf_ratio": ab_hf_ratio(mean["real_hf_energy"], mean["fake_hf_energy"]),
        "set_swd": distance,
    }
    return {name: values[name] for name in METRICS}


def resampled_means(columns_NS: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means over 1,000 sets drawn from N photos with replacement, (1000, S); fixed for each N."""
    n = len(columns_NS)
    draws_BN = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    means_BS: npt.NDArray[np.float64] = draws_BN / n @ columns_NS
    return means_BS


def bias_corrected(value: float, resampled: npt.NDArray[np.float64], n: int) -> MetricInterval:
    """The 90 % interval of a measure of n photos from the values of resampled sets of them.

    As `ValidationMetrics.compute_intervals` has it; NaN where a value is not finite, and for n = 1.
    """
    if n < 2 or not np.isfinite(value) or not np.isfinite(resampled).all():
        return MetricInterval(value, math.nan, math.nan)
    below = float((resampled < value).mean() + 0.5 * (resampled == value).mean())
    bias = _NORMAL.inv_cdf(min(max(below, 1 / RESAMPLES), 1 - 1 / RESAMPLES))
    shares = [_NORMAL.cdf(2.0 * bias + side * _reach(n)) for side in (-1, 1)]
    low, high = np.quantile(resampled, shares).tolist()
    return MetricInterval(value, low, high)


def _reach(n: int) -> float:
    """Standard deviations from the middle to the ends of an interval from n resampled photos.

    Few photos vary less among their resamples than photos do, so the normal quantile gives way to
    sqrt(n / (n - 1)) times Student's (Hesterberg, "What Teachers Should Know About the Bootstrap",
    The American Statistician 69, 2015, https://doi.org/10.1080/00031305.2015.1089789: expanded
    percentiles), by the expansion of Abramowitz and Stegun, 26.7.5.
    """
    z, freedom = _NORMAL.inv_cdf(0.5 + CONFIDENCE / 2), n - 1
    student = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return math.sqrt(n / freedom) * student


def _statistics(real: Colors, fake: Colors) -> dict[str, Tensor]:
    """Return what `compute` needs to know of each photo: named values of shape (N,)."""
    return {
        "l1": l1(real.ab, fake.ab),
        "grey_l1": l1(real.ab, torch.zeros_like(real.ab)),
        "psnr": psnr(real.rgb, fake.rgb),
        "ssim": ssim(real.rgb, fake.rgb),
        "delta_e": delta_e(real.lab, fake.lab),
        "ab_swd": ab_swd(real.ab, fake.ab),
        **_one_sided_statistics("real", real),
        **_one_sided_statistics("fake", fake),
    }


def _one_sided_statistics(side: str, colors: Colors) -> dict[str, Tensor]:
    moments = zip(MOMENTS, ab_moments(colors.ab).unbind(dim=1), strict=True)
    return {
        f"{side}_colorfulness": colorfulness(colors.rgb),
        f"{side}_chroma": mean_chroma(colors.ab),
        f"{side}_hf_energy": hf_energy(colors.ab),
        **{f"{side}_{name}": values for name, values in moments},
    }
