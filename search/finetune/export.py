"""From a trial of a run to a bundle that people can use."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from analysis.stored_run.run import Run, open_run
from data_pipeline.batches import load_batch
from data_pipeline.cache.build import open_cache
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import is_folder
from data_pipeline.split import split_by_content
from models.bundle.publish import check_licence
from models.bundle.store import check_target, write_bundle
from models.file_names import BEST, SAMPLES
from models.metrics.broken_guards import describe_broken_guards
from models.metrics.names import METRICS
from models.metrics.objective import DEFAULT_GUARDS, Guard
from models.metrics.validation import grey_baseline
from models.networks.complexity import network_sizes
from models.networks.generator import Generator
from models.training.checkpoint import decode_checkpoint
from models.training.settings import TrainingSettings
from search.finetune.origin import ORIGIN_NAME, Origin
from search.finetune.trial_choice import By, chosen_trial, reason_of
from search.run.directory import program_version

#: what a bundle says of photos that lay in a folder and were given no name
PRIVATE_FOLDER = "a private folder"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What went into a bundle."""

    trial_id: str
    #: the guards that its colours break and what to change, in one line; None when all hold
    broken_guards: str | None


def export_trial(
    folder: Path | str,
    out: Path | str,
    *,
    trial: str | None = None,
    by: By = "colour",
    data_name: str | None = None,
    licence: str | None = None,
    force: bool = False,
) -> Exported:
    """Write the generator of a trial's best epoch as a bundle.

    Args:
        folder: the run's folder, by its path or URI.
        out: where the bundle goes; must not exist unless `force`.
        trial: the trial's id; None takes the winner.
        by: which winner: "colour" is the trial with the best colours, "balance" the one with the
            best balance, rank 1 of the leaderboard.
        data_name: the photos' name, which the bundle and its card publish; None is that of a
            public source and "a private folder" for a folder, whose path is nobody's business.
        licence: of the bundle, an identifier of the Hub such as "mit"; None names none.
        force: replace an existing bundle.

    Raises InputError when the trial does not exist, has failed or has not ended.
    """
    out = Path(out)
    run = open_run(folder)
    check_target(out, force=force)
    if licence is not None:
        check_licence(licence)
    data = _data(run, data_name)
    row = chosen_trial(run, trial, by=by, command="export")
    if row["state"] in ("failed", "running"):
        why = reason_of(row) or "it has not ended"
        raise InputError(
            f"--trial must have ended well, but trial {row['trial_id']} is {row['state']}: {why}"
        )
    trial_id: str = row["trial_id"]
    checkpoint, settings, generator = _load_generator(run, trial_id)
    guards = map(Guard.parse, run.config.get("guards", DEFAULT_GUARDS))
    broken = describe_broken_guards(guards, checkpoint["metrics"])
    write_bundle(
        out,
        generator=generator.eval(),
        config={
            "image_size": settings.image_size,
            "fit": run.config.get("fit", "crop"),
            "dropout": settings.dropout,
            "run": run.name,
            "trial_id": trial_id,
            "epoch": checkpoint["epoch"],
            "hyperparameters": settings.to_dict(),
            "balance": _balance(settings, row),
            "metrics": {name: checkpoint["metrics"].get(name) for name in METRICS},
            "broken_guards": broken,
            "grey_metrics": _grey_metrics(run, settings.image_size),
            "data": data,
            **({} if licence is None else {"licence": licence}),
            "versions": {
                "chromatune": program_version(),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }
        | _origin(run, settings, row),
        samples_png=run.picture(trial_id, SAMPLES),
        force=force,
    )
    return Exported(trial_id=trial_id, broken_guards=broken)


def _data(run: Run, name: str | None) -> dict[str, Any]:
    if name is not None and not name.strip():
        raise InputError("--data-name must be a name, but is empty; leave it out or give one")
    entries = {key: run.data.get(key) for key in ("source", "photos", "train", "validation")}
    source = str(entries["source"])
    entries["source"] = name or (PRIVATE_FOLDER if is_folder(source) else source)
    return entries


def _load_generator(run: Run, trial_id: str) -> tuple[dict[str, Any], TrainingSettings, Generator]:
    """The best epoch of a trial; InputError for whatever else a stranger may have put there."""
    name = f"trials/{trial_id}/{BEST}"
    where = f"{run.folder.location}/{name}"
    content = run.folder.read(name)
    if content is None:
        raise InputError(f"a checkpoint must exist at {where}, but there is none")
    checkpoint = decode_checkpoint(content, where)
    try:
        settings = TrainingSettings.from_dict(checkpoint["settings"])
        generator = Generator.from_settings(settings)
        generator.load_state_dict(checkpoint["generator"])
        if not {"epoch", "metrics"} <= set(checkpoint) or not isinstance(
            checkpoint["metrics"], dict
        ):
            raise KeyError("epoch and metrics")
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{where} must hold a generator with its settings, but is damaged "
            f"({type(error).__name__}); restore it from a copy"
        ) from error
    return checkpoint, settings, generator


def _balance(settings: TrainingSettings, row: dict[str, Any]) -> dict[str, Any]:
    sizes = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    return {
        "parameter_ratio": sizes.parameter_ratio,
        "conv_parameter_ratio": sizes.conv_parameter_ratio,
        "adversarial_drift": row.get("adversarial_drift"),
        "adversarial_trend": row.get("adversarial_trend"),
    }


def _origin(run: Run, settings: TrainingSettings, row: dict[str, Any]) -> dict[str, Any]:
    """What a bundle says besides when the run is the training of another run's winner."""
    content = run.folder.read(ORIGIN_NAME)
    if content is None:
        return {}
    origin = Origin.parse(content, f"{run.folder.location}/{ORIGIN_NAME}")
    entries: dict[str, Any] = {
        "run": origin.run,
        "training": {
            "epochs": row["epochs"],
            "continued_after_epoch": origin.continued_after or None,
        },
    }
    if origin.found.image_size != settings.image_size:
        entries["balance"] = {
            "image_size": settings.image_size,
            "discriminator_complexity": settings.discriminator_complexity,
            **_balance(settings, row),
            "found_by_search": asdict(origin.found),
        }
    return entries


def _grey_metrics(run: Run, image_size: int) -> dict[str, float] | None:
    """The all-grey answer on the run's validation photos; None where their cache has gone."""
    try:
        cache = open_cache(Path(run.data["cache"][str(image_size)]))
        split = split_by_content(
            cache.hashes, validation_fraction=run.config["validation_fraction"]
        )
        rows = split.validation[: run.config.get("max_validation_photos", 128)]
    except (InputError, KeyError, TypeError, ValueError):
        return None
    batches = (load_batch(cache, rows[i : i + 32]) for i in range(0, len(rows), 32))
    return grey_baseline(batches)
