"""What a validation pass costs: as a share of an epoch of training, metric by metric, and as a
ratio against the same metrics computed photo by photo with scikit-image, SciPy and NumPy.

    python -m benchmarks.validation [--image-size 64] [--generator 30] [--discriminator 4] ...

Everything is measured in one process, interleaved, and medians are reported. Prints a table and,
as the last line, the same numbers as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.linalg import sqrtm
from scipy.ndimage import uniform_filter
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from data_pipeline.lab import rgb_to_lab
from data_pipeline.lab_tensor import denormalise_lab
from data_pipeline.synthetic.landscape import make_landscape
from models.metrics.accumulate import PIXELS_AT_ONCE, ValidationMetrics
from models.metrics.delta_e import delta_e
from models.metrics.distributions import ab_moments, ab_swd, colorfulness, hf_energy, mean_chroma
from models.metrics.gamut import displayed_colors
from models.metrics.paired import l1, psnr, ssim
from models.metrics.validation import validate
from models.training.device import DEVICES, resolve_compute, synchronize
from models.training.settings import TrainingSettings
from models.training.step import AdversarialPair

Batch = tuple[Tensor, Tensor]


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    compute = resolve_compute(options.device, options.precision)
    settings = TrainingSettings(
        generator_complexity=options.generator,
        discriminator_complexity=options.discriminator,
        image_size=options.image_size,
        batch_size=options.batch_size,
        precision=options.precision,
    )
    pair = AdversarialPair(settings, compute)
    batches = landscape_batches(options.validation, options.image_size, size_of_batch=32)
    batches = [(L.to(compute.device), ab.to(compute.device)) for L, ab in batches]
    L, ab = (torch.cat(parts) for parts in zip(*batches, strict=True))
    training_L, training_ab = L[: options.batch_size], ab[: options.batch_size]
    fake = 0.7 * ab.roll(1, dims=0)

    def train() -> None:
        for _ in range(options.steps):
            pair.step(training_L, training_ab, adversarial=True, train_discriminator=True)

    def colorize_only() -> None:
        pair.generator.eval()
        with torch.inference_mode():
            for L_N1HW, _ in batches:
                pair.generator(L_N1HW)
        pair.generator.train()

    def measure_only() -> None:
        metrics = ValidationMetrics()
        for i in range(0, len(L), 32):
            metrics.update(L[i : i + 32], ab[i : i + 32], fake[i : i + 32])

    few = slice(0, options.reference_photos)
    timed: dict[str, Callable[[], object]] = {
        "train": train,
        "validate": lambda: validate(pair.generator, batches, device=compute.device),
        "generator": colorize_only,
        "metrics": measure_only,
        "reference": lambda: reference_metrics(L[few], ab[few], fake[few]),
        **single_metrics(L, ab, fake),
    }
    seconds = interleaved_medians(timed, options.repeats, compute.device)

    steps_per_epoch = math.ceil(options.photos / options.batch_size)
    epoch = seconds["train"] / options.steps * steps_per_epoch
    reference = seconds["reference"] / options.reference_photos * options.validation
    result = {
        "machine_threads": options.threads,
        "precision": str(compute.dtype).removeprefix("torch."),
        "image_size": options.image_size,
        "widths": [options.generator, options.discriminator],
        "training_photos": options.photos,
        "validation_photos": options.validation,
        "epoch_seconds": epoch,
        "validation_seconds": seconds["validate"],
        "validation_share_of_epoch": seconds["validate"] / epoch,
        "generator_seconds": seconds["generator"],
        "metrics_seconds": seconds["metrics"],
        "reference_metrics_seconds": reference,
        "metrics_speedup_over_reference": reference / seconds["metrics"],
        "largest_relative_difference_from_reference": disagreement(L[few], ab[few], fake[few]),
        "parts_seconds": {name: seconds[name] for name in single_metrics(L, ab, fake)},
    }
    print_table(result)
    print(json.dumps(result))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--generator", type=int, default=30, help="width of the generator")
    parser.add_argument("--discriminator", type=int, default=4, help="width of the discriminator")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--photos", type=int, default=2000, help="photos of an epoch")
    parser.add_argument("--validation", type=int, default=128, help="photos of a validation pass")
    parser.add_argument("--reference-photos", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6, help="training steps a repetition")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    return parser.parse_args()


def landscape_batches(n: int, size: int, *, size_of_batch: int) -> list[Batch]:
    lab = np.stack([rgb_to_lab(make_landscape(seed, size)) for seed in range(n)])
    lab_N3HW = torch.from_numpy(lab).permute(0, 3, 1, 2).contiguous()
    L, ab = lab_N3HW[:, :1] / 50 - 1, lab_N3HW[:, 1:] / 127
    return list(zip(L.split(size_of_batch), ab.split(size_of_batch), strict=True))


def interleaved_medians(
    timed: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for repetition in range(repeats + 1):
        for name, action in timed.items():
            started = time.perf_counter()
            action()
            synchronize(device)
            if repetition:  # the first one warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def single_metrics(L: Tensor, ab: Tensor, fake: Tensor) -> dict[str, Callable[[], object]]:
    """Each part of a validation pass on its own, in blocks as `ValidationMetrics` works."""
    block = max(1, PIXELS_AT_ONCE // L[0].numel())
    parts = [slice(i, i + block) for i in range(0, len(L), block)]
    real_colors = [displayed_colors(L[part], ab[part]) for part in parts]
    fake_colors = [displayed_colors(L[part], fake[part]) for part in parts]
    both = list(zip(real_colors, fake_colors, strict=True))
    actions: dict[str, Callable[[], object]] = {
        "displayed_colors": lambda: [
            displayed_colors(L[part], colors[part]) for colors in (ab, fake) for part in parts
        ],
        "l1, grey_skill": lambda: [
            (l1(x.ab, y.ab), l1(x.ab, torch.zeros_like(x.ab))) for x, y in both
        ],
        "psnr": lambda: [psnr(x.rgb, y.rgb) for x, y in both],
        "ssim": lambda: [ssim(x.rgb, y.rgb) for x, y in both],
        "delta_e": lambda: [delta_e(x.lab, y.lab) for x, y in both],
        "colorfulness, colorfulness_gap": lambda: [
            (colorfulness(x.rgb), colorfulness(y.rgb)) for x, y in both
        ],
        "chroma_log_ratio": lambda: [(mean_chroma(x.ab), mean_chroma(y.ab)) for x, y in both],
        "ab_swd": lambda: [ab_swd(x.ab, y.ab) for x, y in both],
        "frechet_ab": lambda: [(ab_moments(x.ab), ab_moments(y.ab)) for x, y in both],
        "ab_hf_ratio": lambda: [(hf_energy(x.ab), hf_energy(y.ab)) for x, y in both],
    }

    def in_inference_mode(action: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            with torch.inference_mode():
                return action()

        return run

    return {name: in_inference_mode(action) for name, action in actions.items()}


def reference_metrics(L: Tensor, real_ab: Tensor, fake_ab: Tensor) -> dict[str, float]:
    """The same metrics the plain way, one photo after the other."""
    rows, pixels = [], ([], [])  # type: ignore[var-annotated]
    for photo in range(len(L)):
        one = slice(photo, photo + 1)
        real_lab, fake_lab = (
            denormalise_lab(L[one], ab[one])[0].permute(1, 2, 0).cpu().double().numpy()
            for ab in (real_ab, fake_ab)
        )
        real_rgb, fake_rgb = lab2rgb(real_lab), lab2rgb(fake_lab)
        fake_lab = rgb2lab(fake_rgb)
        real, fake = real_lab[..., 1:], fake_lab[..., 1:]
        row = {
            "l1": np.abs(fake - real).mean() / 127,
            "grey_l1": np.abs(real).mean() / 127,
            "psnr": peak_signal_noise_ratio(real_rgb, fake_rgb, data_range=1),
            "ssim": structural_similarity(
                real_rgb, fake_rgb, channel_axis=-1, data_range=1, gaussian_weights=True,
                sigma=1.5, use_sample_covariance=False,
            ),
            "delta_e": deltaE_ciede2000(real_lab, fake_lab).mean(),
            "ab_swd": plain_swd(real.reshape(-1, 2), fake.reshape(-1, 2)),
        }  # fmt: skip
        for side, rgb, ab in (("real", real_rgb, real), ("fake", fake_rgb, fake)):
            red, green, blue = 255 * np.moveaxis(rgb, -1, 0)
            rg, yb = red - green, (red + green) / 2 - blue
            spread, offset = np.hypot(rg.std(), yb.std()), np.hypot(rg.mean(), yb.mean())
            detail = ab - uniform_filter(ab, (3, 3, 1))
            row[f"{side}_colorfulness"] = spread + 0.3 * offset
            row[f"{side}_chroma"] = np.hypot(ab[..., 0], ab[..., 1]).mean()
            row[f"{side}_energy"] = (detail[1:-1, 1:-1] ** 2).sum(axis=-1).mean()
        rows.append(row)
        pixels[0].append(real.reshape(-1, 2))
        pixels[1].append(fake.reshape(-1, 2))
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {
        **{name: mean[name] for name in ("l1", "psnr", "ssim", "delta_e", "ab_swd")},
        "grey_skill": 1 - mean["l1"] / mean["grey_l1"],
        "colorfulness": mean["fake_colorfulness"],
        "colorfulness_gap": mean["fake_colorfulness"] - mean["real_colorfulness"],
        "chroma_log_ratio": math.log(mean["fake_chroma"] / mean["real_chroma"]),
        "frechet_ab": plain_frechet(np.concatenate(pixels[0]), np.concatenate(pixels[1])),
        "ab_hf_ratio": mean["fake_energy"] / mean["real_energy"],
    }


def plain_swd(real: np.ndarray, fake: np.ndarray) -> float:
    distances = []
    for angle in np.arange(8) * np.pi / 8:
        direction = np.array([np.cos(angle), np.sin(angle)])
        distances.append(np.abs(np.sort(real @ direction) - np.sort(fake @ direction)).mean())
    return float(np.mean(distances))


def plain_frechet(real: np.ndarray, fake: np.ndarray) -> float:
    means = ((real.mean(axis=0) - fake.mean(axis=0)) ** 2).sum()
    first, second = np.cov(real.T, bias=True), np.cov(fake.T, bias=True)
    return float(means + np.trace(first + second - 2 * np.real(sqrtm(first @ second))))


def disagreement(L: Tensor, real_ab: Tensor, fake_ab: Tensor) -> dict[str, float]:
    metrics = ValidationMetrics()
    metrics.update(L, real_ab, fake_ab)
    ours, plain = metrics.compute(), reference_metrics(L, real_ab, fake_ab)
    return {name: abs(ours[name] - plain[name]) / abs(plain[name]) for name in ours}


def print_table(result: dict[str, Any]) -> None:
    n = result["validation_photos"]
    print(
        f"{result['image_size']} px, widths {result['widths']}, {result['precision']}, "
        f"{result['machine_threads']} threads"
    )
    print(f"{'epoch of ' + str(result['training_photos']) + ' photos':40}"
          f"{result['epoch_seconds']:9.3f} s")  # fmt: skip
    print(f"{'validation of ' + str(n) + ' photos':40}{result['validation_seconds']:9.3f} s"
          f"{result['validation_share_of_epoch']:9.2%} of the epoch")  # fmt: skip
    whole = result["validation_seconds"]
    print(f"{'  generator':40}{result['generator_seconds']:9.3f} s"
          f"{result['generator_seconds'] / whole:9.2%} of the validation")  # fmt: skip
    print(f"{'  metrics':40}{result['metrics_seconds']:9.3f} s"
          f"{result['metrics_seconds'] / whole:9.2%} of the validation")  # fmt: skip
    for name, seconds in result["parts_seconds"].items():
        print(f"{'    ' + name:40}{seconds:9.3f} s{seconds / whole:9.2%} of the validation")
    print(f"{'plain reference for the metrics':40}{result['reference_metrics_seconds']:9.3f} s"
          f"{result['metrics_speedup_over_reference']:9.1f} x as long")  # fmt: skip
    worst = max(result["largest_relative_difference_from_reference"].items(), key=lambda x: x[1])
    print(f"largest difference from the reference: {worst[0]}, {worst[1]:.1e} of its value")


if __name__ == "__main__":
    main()
