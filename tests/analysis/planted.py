"""Curves and runs of known truth, to measure how often the statistics find it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from analysis.statistics.curve_summary import summarise_curves
from analysis.statistics.stagnation import FloatArray
from analysis.stored_run.trials import trials_table

Noise = Literal["white", "heavy tails", "red 0.5", "red 0.8", "red plus white", "oscillating"]
NOISES: tuple[Noise, ...] = get_args(Noise)

WIDTHS = (16, 24, 30, 38, 46, 52, 72)


def noise_of(kind: Noise, n: int, rng: np.random.Generator) -> FloatArray:
    """Noise (n,) of unit variance."""
    burn_in = 60
    e = rng.normal(size=n + burn_in)
    if kind == "white":
        return e[burn_in:]
    if kind == "heavy tails":
        return rng.standard_t(3, n) / math.sqrt(3)
    if kind == "oscillating":  # second order, a period of about 20 windows
        a1, a2 = 2 * 0.9 * math.cos(2 * math.pi / 20), -0.81
        z = np.zeros(n + burn_in)
        for i in range(2, n + burn_in):
            z[i] = a1 * z[i - 1] + a2 * z[i - 2] + e[i]
        return z[burn_in:] / 5.3
    phi = 0.5 if kind == "red 0.5" else 0.8
    z = np.zeros(n + burn_in)
    for i in range(1, n + burn_in):
        z[i] = phi * z[i - 1] + math.sqrt(1 - phi**2) * e[i]
    if kind == "red plus white":
        return (z[burn_in:] + rng.normal(size=n)) / math.sqrt(2)
    return z[burn_in:]


def curve_of(
    drift: float, n: int, noise: Noise, rng: np.random.Generator, *, deviation: float = 0.05
) -> list[float]:
    """A curve that settles quickly and then drifts by `drift` per cent over its last half."""
    t = np.linspace(0, 1, n)
    settling = 0.4 * np.exp(-t * 25)
    values = 0.9 * (1 + drift / 50 * (t - 0.75) + settling + deviation * noise_of(noise, n, rng))
    return [float(value) for value in values]


@dataclass(frozen=True, kw_only=True)
class PlantedRun:
    """A trials table whose drifts cross zero at a known ratio."""

    trials: pd.DataFrame
    ratio: float


#: standard deviation of the drift between the four seeds of each of six configurations, in points;
#: their root mean square is 29 (docs/complexity-study.md)
MEASURED_SEED_NOISE = (35.0, 14.0, 49.0, 30.0, 21.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What kind of runs to plant."""

    #: per cent of drift for each doubling of the ratio, drawn between these two
    slope: tuple[float, float] = (15.0, 40.0)
    #: deviation between seeds as it was measured, and the drift as it is; otherwise 2 to 8 points,
    #: and each drift measured again on a noisy loss curve
    measured_noise: bool = True
    #: share of the configurations that early stopping ends: the worst by an objective that likes a
    #: small drift and a ratio near the balance
    pruned: float = 0.0


SCENARIOS = {
    "small noise, drift measured on curves": Scenario(measured_noise=False),
    "measured noise": Scenario(),
    "measured noise, weak slopes": Scenario(slope=(3.0, 15.0)),
    "measured noise, no effect": Scenario(slope=(0.0, 0.0)),
    "measured noise, 40 % pruned": Scenario(pruned=0.4),
}


def planted_run(
    rng: np.random.Generator, scenario: Scenario = SCENARIOS["measured noise"]
) -> PlantedRun:
    """Plant a run: its size, noise, repeats and the shape of its drift are drawn at random.

    The drift follows the ratio along a straight, saturating or convex curve and is moved by both
    learning rates, by the configuration and by the seed. Networks are those of the design, at 64,
    128 or 256 pixels.
    """
    truth = float(2 ** rng.uniform(-1.3, 0.7))
    slope = rng.uniform(*scenario.slope)
    shape = str(rng.choice(["straight", "saturating", "convex"]))
    rate_effect, configuration_noise = rng.uniform(0, 20), rng.uniform(3, 12)
    small_noise, curve_noise = rng.uniform(2, 8), rng.choice(NOISES)
    below, above = rng.uniform(1.2, 3), rng.uniform(1.2, 3)
    image_size = int(rng.choice([64, 128, 256]))
    n_configurations = int(rng.integers(16, 61))
    # Without an effect of the ratio the drift is the same everywhere, but hardly ever 0.
    level = rng.normal(0, 10) if slope == 0 else 0.0
    rows: list[dict[str, Any]] = []
    objectives: list[float] = []
    for number in range(n_configurations):
        ratio = truth * 2 ** rng.uniform(-below, above)
        sizes = pair_of(int(rng.choice(WIDTHS)), ratio, image_size)
        octaves = math.log2(sizes["parameter_ratio"] / truth)
        rates = rng.uniform(-0.85, 0.85, size=2)
        drift = level + _drift(shape, slope, octaves)
        drift += rate_effect * (rates[1] - rates[0]) + rng.normal(0, configuration_noise)
        seed_noise = rng.choice(MEASURED_SEED_NOISE) if scenario.measured_noise else small_noise
        # A search repeats some of its configurations with other seeds.
        for repeat in range(1 + (int(rng.integers(1, 4)) if rng.random() < 0.3 else 0)):
            own = drift + rng.normal(0, seed_noise)
            objectives.append(abs(octaves) + abs(own) / 40 + rng.normal(0, 0.5))
            measured: dict[str, Any] = {"adversarial_drift": own, "adversarial_trend": "unclear"}
            if not scenario.measured_noise:
                curve = curve_of(own, 80, curve_noise, rng)
                windows = [{"step": i, "adversarial": v} for i, v in enumerate(curve)]
                measured = dict(summarise_curves(windows))
            rows.append(
                {
                    "trial_id": f"{len(rows):04d}",
                    "configuration_id": f"c{number}",
                    "seed": repeat,
                    "image_size": image_size,
                    "generator_lr": 10 ** (-4.5 + rates[0]),
                    "discriminator_lr": 10 ** (-4.5 + rates[1]),
                    "adversarial_factor": rng.uniform(0.02, 0.5),
                    **sizes,
                    **measured,
                }
            )
    worst = np.quantile(objectives, 1 - scenario.pruned)
    for row, objective in zip(rows, objectives, strict=True):
        row["state"] = "pruned" if objective > worst else "complete"
    return PlantedRun(trials=trials_table(rows), ratio=truth)


def pair_of(generator: int, ratio: float, image_size: int) -> dict[str, Any]:
    """Sizes of the pair whose parameter ratio comes closest to `ratio` at this generator width."""
    n_g = 224 * generator**2 + 45 * generator
    pixels = image_size**2

    def n_d(d: int) -> int:
        return 128 * d * d + 37 * d + d * pixels + 1

    d = min(range(1, 80), key=lambda d: abs(math.log(n_d(d) / n_g / ratio)))
    return {
        "generator_complexity": generator,
        "discriminator_complexity": d,
        "generator_parameters": n_g,
        "discriminator_parameters": n_d(d),
        "parameter_ratio": n_d(d) / n_g,
        "conv_parameter_ratio": (128 * d * d + 37 * d) / n_g,
        "multiply_add_ratio": (20 * d * d + 28 * d) / (40 * generator**2),
    }


def _drift(shape: str, slope: float, octaves: float) -> float:
    """Drift in per cent; every shape has this slope, per octave, at its zero."""
    match shape:
        case "saturating":
            return 2 * slope * math.tanh(octaves / 2)
        case "convex":
            return slope * 1.5 / math.log(2) * (2 ** (octaves / 1.5) - 1)
    return slope * octaves
