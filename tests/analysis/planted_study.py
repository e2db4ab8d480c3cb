"""Studies of known truth: what drift and quality of trainings depend on, with seeds nested."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.statistics.stagnation import FloatArray
from analysis.stored_run.trials import trials_table
from tests.analysis.planted import MEASURED_SEED_NOISE, pair_of

IMAGE_SIZE = 64
GRID_WIDTHS = (12, 20, 32)
GRID_RATIOS = (0.2, 0.4, 0.8, 1.6, 3.2)


@dataclass(frozen=True, kw_only=True)
class Study:
    """What to plant. Drifts in points, slopes in points for each doubling."""

    ratio_slope: float = 0.0
    width_slope: float = 0.0
    #: drift at a ratio of 0.8 and the widths' geometric mean
    level: float = 0.0
    #: deviation between configurations, beyond the slopes, and between seeds (None: as measured)
    configuration_noise: float = 5.0
    seed_noise: float | None = None
    #: share of the seeds' own drift in the AUC after two epochs
    early: float = 0.0
    #: how much the objective suffers from 10 points of drift; its own noise is 1
    harm: float = 0.0
    widths: tuple[int, ...] = GRID_WIDTHS
    ratios: tuple[float, ...] = GRID_RATIOS
    seeds: int = 16
    #: instead of the grid: so many random configurations, a third of them with four seeds
    searched: int | None = None


def planted_study(rng: np.random.Generator, study: Study) -> pd.DataFrame:
    """The trials table of one study."""
    rows: list[dict[str, Any]] = []
    for number, (width, ratio, seeds) in enumerate(_configurations(rng, study)):
        sizes = pair_of(width, ratio, IMAGE_SIZE)
        own = true_drift(study, sizes["parameter_ratio"], width)
        own += rng.normal(0, study.configuration_noise)
        deviation = study.seed_noise
        if deviation is None:
            deviation = float(rng.choice(MEASURED_SEED_NOISE))
        for seed in range(seeds):
            of_seed = rng.normal(0, deviation)
            drift = own + of_seed
            known = study.early * of_seed + (1 - study.early) * rng.normal(0, 29)
            objective = 20 - 2 * math.log2(width) + study.harm * abs(drift) / 10
            objective += rng.normal(0, 1)
            rows.append(
                {
                    "trial_id": f"{len(rows):04d}",
                    "state": "complete",
                    "configuration_id": f"c{number}",
                    "seed": seed,
                    "image_size": IMAGE_SIZE,
                    "generator_lr": 4e-4,
                    "discriminator_lr": 4e-4,
                    "adversarial_factor": 0.02,
                    **sizes,
                    "adversarial_drift": drift,
                    "adversarial_trend": "unclear",
                    "probability_real": 0.6,
                    "probability_fake": 0.4 - drift / 1000,
                    "early_auc": 0.7 + known / 300,
                    "early_probability_gap": 0.2 + rng.normal(0, 0.1),
                    "penalized_objective": objective,
                }
            )
    return trials_table(rows)


def true_drift(study: Study, ratio: float, width: float) -> float:
    """Without noise."""
    centre = float(np.mean(np.log2(study.widths)))
    return (
        study.level
        + study.ratio_slope * math.log2(ratio / 0.8)
        + study.width_slope * (math.log2(width) - centre)
    )


def _configurations(rng: np.random.Generator, study: Study) -> list[tuple[int, float, int]]:
    if study.searched is None:
        cells = itertools.product(study.widths, study.ratios)
        return [(width, ratio, study.seeds) for width, ratio in cells]
    span = np.log2([min(study.ratios), max(study.ratios)])
    ratios: FloatArray = 2 ** rng.uniform(*span, study.searched)
    return [
        (int(rng.choice(study.widths)), float(ratio), 4 if rng.random() < 0.3 else 1)
        for ratio in ratios
    ]
