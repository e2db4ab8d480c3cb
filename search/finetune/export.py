"""From a trial of a run to a bundle that people can use."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from analysis.stored_run.run import Run, open_run
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import is_folder
from models.bundle.publish import check_licence
from models.bundle.store import check_target, write_bundle
from models.file_names import SAMPLES
from models.metrics.names import METRICS
from models.metrics.objective import DEFAULT_GUARDS, Guard
from models.metrics.unseen import (
    MetricInterval,
    describe_broken_guards,
    from_columns,
    to_columns,
    verdict_of,
)
from models.metrics.validation import grey_baseline
from models.networks.complexity import network_sizes
from models.training.settings import TrainingSettings
from search.finetune.origin import ORIGIN_NAME, Origin
from search.finetune.stored_generator import (
    RunPhotos,
    Side,
    load_generator,
    measure_unseen,
    open_run_photos,
)
from search.finetune.trial_choice import By, ChosenTrial, chosen_trial
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
    onnx_rgb: bool = False,
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
        onnx_rgb: also write an ONNX graph from sRGB to sRGB, for runtimes that have no CIELAB.
        force: replace an existing bundle.

    Raises InputError when the trial does not exist, has failed or has not ended.
    """
    out = Path(out)
    run = open_run(folder)
    check_target(out, force=force)
    if licence is not None:
        check_licence(licence)
    data = _data(run, data_name)
    chosen = chosen_trial(run, trial, by=by, command="export")
    if chosen.state in ("failed", "running"):
        why = chosen.reason or "it has not ended"
        raise InputError(
            f"--trial must have ended well, but trial {chosen.trial_id} is {chosen.state}: {why}"
        )
    trial_id = chosen.trial_id
    checkpoint, settings, generator = load_generator(run, trial_id)
    guards = [Guard.parse(text) for text in run.config.get("guards", DEFAULT_GUARDS)]
    photos = open_run_photos(run, settings.image_size)
    figures = from_columns(chosen.columns) or measure_unseen(generator, photos)
    broken = describe_broken_guards(guards, {**checkpoint["metrics"], **to_columns(figures)})
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
            "balance": _balance(settings, chosen),
            "metrics": {name: checkpoint["metrics"].get(name) for name in METRICS},
            "broken_guards": broken,
            "grey_metrics": _grey_metrics(photos, "validation"),
            **_test_entries(guards, figures, photos),
            "data": data,
            **({} if licence is None else {"licence": licence}),
            "versions": {
                "chromatune": program_version(),
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }
        | _origin(run, settings, chosen),
        samples_png=run.picture(trial_id, SAMPLES),
        onnx_rgb=onnx_rgb,
        force=force,
    )
    return Exported(trial_id=trial_id, broken_guards=broken)


def _data(run: Run, name: str | None) -> dict[str, object]:
    if name is not None and not name.strip():
        raise InputError("--data-name must be a name, but is empty; leave it out or give one")
    entries = {key: run.data.get(key) for key in ("source", "photos", "train", "validation")}
    if run.data.get("test"):
        entries["test"] = run.data["test"]
    source = str(entries["source"])
    entries["source"] = name or (PRIVATE_FOLDER if is_folder(source) else source)
    return entries


def _balance(settings: TrainingSettings, chosen: ChosenTrial) -> dict[str, object]:
    sizes = network_sizes(
        settings.generator_complexity, settings.discriminator_complexity, settings.image_size
    )
    return {
        "parameter_ratio": sizes.parameter_ratio,
        "conv_parameter_ratio": sizes.conv_parameter_ratio,
        "adversarial_drift": chosen.adversarial_drift,
        "adversarial_trend": chosen.adversarial_trend,
    }


def _origin(run: Run, settings: TrainingSettings, chosen: ChosenTrial) -> dict[str, object]:
    """What a bundle says besides when the run is the training of another run's winner."""
    content = run.folder.read(ORIGIN_NAME)
    if content is None:
        return {}
    origin = Origin.parse(content, f"{run.folder.location}/{ORIGIN_NAME}")
    entries: dict[str, object] = {
        "run": origin.run,
        "training": {
            "epochs": chosen.epochs,
            "continued_after_epoch": origin.continued_after or None,
        },
    }
    if origin.found.image_size != settings.image_size:
        entries["balance"] = {
            "image_size": settings.image_size,
            "discriminator_complexity": settings.discriminator_complexity,
            **_balance(settings, chosen),
            "found_by_search": asdict(origin.found),
        }
    return entries


def _grey_metrics(photos: RunPhotos | None, side: Side) -> dict[str, float] | None:
    """The all-grey answer on a run's photos."""
    return None if photos is None else grey_baseline(photos.batches(side))


def _test_entries(
    guards: Sequence[Guard], figures: Mapping[str, MetricInterval], photos: RunPhotos | None
) -> dict[str, object]:
    if not figures:
        return {}
    tested = photos is not None and len(photos.test) > 0
    return {
        "test_metrics": {name: list(interval) for name, interval in figures.items()},
        "test_grey_metrics": _grey_metrics(photos, "test") if tested else None,
        "test_guards": {str(guard): verdict_of(guard, figures) for guard in guards},
    }
