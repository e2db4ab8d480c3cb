"""Rows of curves.jsonl and validation.jsonl of a training that never was."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.analysis.fabricate import Plan


def curves(plan: Plan, drift: float, epochs: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    n = max(2, plan.n_windows * epochs // plan.max_epochs)
    t = np.arange(n) / max(1, plan.n_windows - 1)
    noise = np.zeros(n)
    for i in range(n):
        noise[i] = 0.5 * noise[max(0, i - 1)] + rng.normal(0, 0.025)
    slope = drift / 100 * 2
    adversarial = np.maximum(0.02, 0.9 + 0.4 * np.exp(-t * 12) + 0.9 * slope * (t - 0.5) + noise)
    reconstruction = 0.06 + 0.05 * np.exp(-t * 5) + rng.normal(0, 0.001, n)
    p_fake = np.clip(np.exp(-adversarial) + rng.normal(0, 0.01, n), 0.01, 0.99)
    p_real = np.clip(1 - p_fake + rng.normal(0, 0.02, n), 0.01, 0.99)
    columns = {
        "reconstruction": reconstruction,
        "adversarial": adversarial,
        "total": 0.9 * reconstruction + 0.1 * adversarial,
        "discriminator_real": -np.log(p_real),
        "discriminator_fake": -np.log(1 - p_fake),
        "discriminator": -(np.log(p_real) + np.log(1 - p_fake)) / 2,
    }
    per_window = epochs * 112 / n
    rows = []
    averages: dict[str, float] = {}
    for i in range(n):
        row: dict[str, Any] = {
            "step": round((i + 1) * per_window),
            "epoch": (i + 1) * epochs / n,
            "images": round((i + 1) * per_window * 16),
            "seconds": (i + 1) * 0.7,
        }
        for name, values in columns.items():
            averages[name] = 0.8 * averages.get(name, values[i]) + 0.2 * values[i]
            row[name] = round(float(values[i]), 6)
        row |= {"probability_real": float(p_real[i]), "probability_fake": float(p_fake[i])}
        row |= {f"{name}_ema": round(float(value), 6) for name, value in averages.items()}
        rows.append(row)
    return rows


def validation_rows(
    plan: Plan, doublings: float, epochs: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    # Its own numbers, so that those of the metrics stay what they were.
    judged = np.random.default_rng(round(1e6 * abs(doublings)))
    for epoch in range(1, epochs + 1):
        progress = 1 - math.exp(-3 * epoch / plan.max_epochs)
        skill = 0.05 * progress - 0.02 * abs(doublings) + rng.normal(0, 0.005)
        swd = 0.03 + 0.02 * abs(doublings) + 0.08 * (1 - progress) + abs(rng.normal(0, 0.004))
        values = {
            "l1": 0.08 * (1 - skill),
            "grey_skill": skill,
            "psnr": 20 + 10 * skill,
            "ssim": 0.85 + skill / 2,
            "delta_e": 12 - 20 * skill,
            "colorfulness": 30 * progress,
            "colorfulness_gap": -8 * (1 - progress) + rng.normal(0, 0.4),
            "chroma_log_ratio": -0.15 * abs(doublings) + rng.normal(0, 0.05),
            "ab_swd": swd,
            "frechet_ab": 40 * swd,
            "ab_hf_ratio": float(np.exp(rng.normal(0, 0.2))),
            "set_swd": 0.4 * swd,
        }
        rows.append(
            {
                "step": epoch * 112,
                "epoch": epoch,
                "images": epoch * 1800,
                "seconds": epoch * 1.5,
                "feasible": bool(skill > -0.02),
                # The first epochs train without a discriminator.
                "discriminator_auc": None
                if epoch <= plan.pretrain_epochs
                else float(np.clip(0.75 + 0.12 * doublings + judged.normal(0, 0.03), 0.0, 1.0)),
                **{name: float(value) for name, value in values.items()},
            }
        )
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
