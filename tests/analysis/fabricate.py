"""Fabricates a run folder as docs/architecture.md describes it: no network is trained.

The adversarial loss of a trial drifts by how far its parameter ratio lies from a planted balance
ratio, so that what the analysis finds can be compared with what was planted.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from analysis.statistics.curve_summary import summarise_curves
from models.metrics.names import METRICS
from models.metrics.objective import Objective
from tests.analysis.fabricated_rows import curves, validation_rows, write_rows
from tests.analysis.planted import WIDTHS, pair_of

#: four trials at a time, from here on
_BEGAN = datetime(2026, 5, 4, 9, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to fabricate."""

    n_trials: int = 24
    #: parameter ratio at which the adversarial loss neither rises nor falls
    balance_ratio: float = 0.8
    #: drift in per cent for each doubling of the ratio
    drift_per_doubling: float = 25.0
    #: standard deviation of a trial's drift around the planted line, in per cent
    drift_noise: float = 6.0
    #: shares of the trials that end so
    pruned: float = 0.2
    failed: float = 0.05
    running: int = 1
    #: every configuration of the search is repeated this often with another seed
    repeats: int = 0
    n_windows: int = 120
    image_size: int = 64
    max_epochs: int = 8
    #: epochs whose discriminator does not learn
    pretrain_epochs: int = 1
    pictures: bool = True
    curves: bool = True
    #: write the Optuna study (slow: its journal is flushed to disk at every step)
    study: bool = False
    status: str = "finished"
    seed: int = 0


def fabricate_run(folder: Path, plan: Plan | None = None) -> Path:
    """Write a whole run folder and return its path."""
    plan = plan or Plan()
    rng = np.random.default_rng(plan.seed)
    folder.mkdir(parents=True, exist_ok=True)
    _write_header(folder, plan)
    with (folder / "trials.jsonl").open("a") as table:
        for number, trial in enumerate(_plan_trials(plan, rng)):
            start = {k: trial[k] for k in trial if k not in ("reason", "state")}
            table.write(json.dumps({**start, "state": "running", "reason": None}) + "\n")
            end = _fabricate_trial(folder, plan, trial, np.random.default_rng((plan.seed, number)))
            if end["state"] != "running":
                table.write(json.dumps(end) + "\n")
    if plan.study:
        write_study(folder)
    return folder


def write_study(folder: Path) -> None:
    """Write study.journal from the trials table of a run folder."""
    import optuna
    from optuna.distributions import FloatDistribution, IntDistribution
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name = json.loads((folder / "run.json").read_text())["name"]
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    study = optuna.create_study(study_name=name, storage=storage)
    distributions: dict[str, Any] = {
        "generator_complexity": IntDistribution(16, 72),
        "discriminator_complexity": IntDistribution(1, 80),
        "generator_lr": FloatDistribution(1e-6, 1e-3, log=True),
        "discriminator_lr": FloatDistribution(1e-6, 1e-3, log=True),
        "adversarial_factor": FloatDistribution(0.0, 0.9),
    }
    states = {
        "complete": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
    }
    last = {}
    for line in (folder / "trials.jsonl").read_text().splitlines():
        row = json.loads(line)
        last[row["trial_id"]] = row
    for row in last.values():
        study.add_trial(
            create_trial(
                state=states.get(row["state"], TrialState.RUNNING),
                params={k: row[k] for k in distributions},
                distributions=distributions,
                value=row.get("ab_swd") if row["state"] == "complete" else None,
            )
        )


def _write_header(folder: Path, plan: Plan) -> None:
    info = {
        "format": 1,
        "name": folder.name,
        "version": "0.1.0",
        "created_at": "2026-05-04T09:00:00+00:00",
        "status": plan.status,
        "command": f"chromatune search --trials {plan.n_trials} --name {folder.name}",
    }
    config = {
        "name": folder.name,
        "images": None,
        "trials": plan.n_trials,
        "max_epochs": plan.max_epochs,
        "image_size": plan.image_size,
        "objective": "ab_swd",
        "guards": ["grey_skill > 0", "ab_hf_ratio < 2"],
        "seed": plan.seed,
        "space": {
            "generator_complexity": [*WIDTHS],
            "discriminator_complexity": {"low": 1, "high": 80, "log": True},
            "generator_lr": {"low": 1e-6, "high": 1e-3, "log": True},
            "discriminator_lr": {"low": 1e-6, "high": 1e-3, "log": True},
            "adversarial_factor": {"low": 0.02, "high": 0.5},
            "batch_size": 16,
        },
    }
    data = {
        "source": "synthetic landscapes",
        "image_size": plan.image_size,
        "fit": "crop",
        "photos": 2000,
        "train": 1800,
        "validation": 200,
        "skipped": {"grey": 12, "cannot be decoded": 3},
        "cache": "cache/0123",
    }
    for name, value in (("run.json", info), ("config.json", config), ("data.json", data)):
        (folder / name).write_text(json.dumps(value, indent=2))


def _plan_trials(plan: Plan, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Start rows; a repeat shares the configuration of its original."""
    trials: list[dict[str, Any]] = []
    original: dict[str, Any] = {}
    for number in range(plan.n_trials):
        if number % (plan.repeats + 1) == 0:
            original = {**_sizes(plan, rng), **_rates(rng)}
            digest = hashlib.sha256(json.dumps(original).encode()).hexdigest()[:12]
            original |= {"configuration_id": digest, "first": f"{number:04d}"}
        repeat = number % (plan.repeats + 1)
        draw = rng.random()
        state = (
            "failed"
            if draw < plan.failed
            else "pruned"
            if draw < plan.failed + plan.pruned and not repeat
            else "complete"
        )
        if number >= plan.n_trials - plan.running:
            state = "running"
        trials.append(
            {
                "trial_id": f"{number:04d}",
                "state": state,
                "reason": {
                    "failed": "the device ran out of memory at batch size 16",
                    "pruned": "pruned at epoch 2: worse than the median",
                }.get(state),
                "started_at": (_BEGAN + timedelta(minutes=4 * (number // 4))).isoformat(),
                "device": "cpu",
                "seed": 1000 + repeat,
                "phase": "repeat" if repeat else "search",
                "repeat_of": original["first"] if repeat else None,
                "image_size": plan.image_size,
                "batch_size": 16,
                "max_epochs": plan.max_epochs,
                **{key: value for key, value in original.items() if key != "first"},
            }
        )
    return trials


def _sizes(plan: Plan, rng: np.random.Generator) -> dict[str, Any]:
    """Widths whose parameter ratio spreads around the planted balance."""
    pixels = plan.image_size**2
    ratio = plan.balance_ratio * 2 ** rng.uniform(-2.2, 2.2)
    sizes = pair_of(int(rng.choice(WIDTHS)), ratio, plan.image_size)
    g, d = sizes["generator_complexity"], sizes["discriminator_complexity"]
    return {
        **sizes,
        "generator_multiply_adds": 40 * g * g * pixels,
        "discriminator_multiply_adds": 20 * d * d * pixels + 28 * d * pixels,
    }


def _rates(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "generator_lr": float(10 ** rng.uniform(-5.2, -3.5)),
        "discriminator_lr": float(10 ** rng.uniform(-5.2, -3.5)),
        "adversarial_factor": float(rng.uniform(0.02, 0.5)),
    }


def _fabricate_trial(
    folder: Path, plan: Plan, trial: dict[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Write the trial's folder and return its end row."""
    doublings = math.log2(trial["parameter_ratio"] / plan.balance_ratio)
    drift = plan.drift_per_doubling * doublings + rng.normal(0, plan.drift_noise)
    state = trial["state"]
    share = {"complete": 1.0, "pruned": 0.25, "failed": 0.1, "running": 0.5}[state]
    epochs = max(1, round(plan.max_epochs * share))
    rows = curves(plan, drift, epochs, rng) if plan.curves else []
    validation = validation_rows(plan, doublings, epochs, rng)
    best = min(validation, key=Objective("ab_swd").sort_key)
    path = folder / "trials" / trial["trial_id"]
    if plan.curves or plan.pictures:
        path.mkdir(parents=True, exist_ok=True)
    if plan.curves:
        asked = ("generator_complexity", "discriminator_complexity", "generator_lr")
        (path / "parameters.json").write_text(json.dumps({key: trial[key] for key in asked}))
        write_rows(path / "curves.jsonl", rows)
        write_rows(path / "validation.jsonl", validation)
    if plan.pictures and state != "failed":
        _write_pictures(path, saturation=max(0.0, 1 + best["chroma_log_ratio"]))
    started = datetime.fromisoformat(trial["started_at"])
    seconds = epochs * (10 + trial["generator_complexity"] / 4)
    summary = (
        summarise_curves(rows)
        if rows
        else {
            "adversarial_drift": drift,
            "adversarial_drift_low": drift - 4,
            "adversarial_drift_high": drift + 4,
            "adversarial_trend": "stagnant" if abs(drift) < 6 else "unclear",
            "reconstruction_drift": -5.0,
        }
    )
    end = {
        **trial,
        "ended_at": (started + timedelta(seconds=seconds)).isoformat(),
        "seconds": seconds,
        "epochs": epochs,
        "steps": epochs * 112,
        "images": epochs * 1800,
        **summary,
    }
    if state == "failed":
        return end
    measured = {k: best[k] for k in ("feasible", *METRICS)}
    auc = validation[-1]["discriminator_auc"]
    return {**end, "best_epoch": best["epoch"], "discriminator_auc": auc, **measured}


def _write_pictures(path: Path, *, saturation: float) -> None:
    """A 3x6 grid, grey inputs left and coloured outputs right, and the 3x3 originals."""
    side = 64
    photos = [_landscape(side, np.random.default_rng(i)) for i in range(9)]
    samples = Image.new("RGB", (6 * side, 3 * side))
    originals = Image.new("RGB", (3 * side, 3 * side))
    for i, photo in enumerate(photos):
        row, column = divmod(i, 3)
        grey = photo.convert("L").convert("RGB")
        faded = Image.blend(grey, photo, min(1.0, saturation))
        originals.paste(photo, (column * side, row * side))
        samples.paste(grey, (column * side, row * side))
        samples.paste(faded, ((column + 3) * side, row * side))
    samples.save(path / "samples.png")
    originals.save(path / "originals.png")


def _landscape(side: int, rng: np.random.Generator) -> Image.Image:
    sky = np.linspace(0.35, 1, side)[:, None, None] * np.array([120, 180, 245])
    picture = Image.fromarray(np.broadcast_to(sky, (side, side, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    colours = [(96, 110, 130), (70, 120, 70), (50, 95, 45)]
    for layer, colour in enumerate(colours):
        base = side * (0.45 + 0.18 * layer)
        phase, height, length = rng.uniform(0, 6), rng.uniform(4, 10), rng.uniform(7, 14)
        ridge = [(x, base + height * math.sin(phase + x / length)) for x in range(side + 1)]
        draw.polygon([*ridge, (side, side), (0, side)], fill=colour)
    return picture
