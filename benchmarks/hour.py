"""Trains recipes for so many minutes of a core each, to be judged by `benchmarks.quality`.

    python -m benchmarks.hour --images DIR --out FOLDER [--minutes 60] [--side 128]
        [--only NAME...] [--seeds 1 2 3]
    python -m benchmarks.quality FOLDER/bundles/* --images DIR --side 128

The recipes and their names: `benchmarks/hour_candidates.py`. They come one after the other, seed by
seed, each in FOLDER/NAME-sSEED: called again, the command goes on after the last whole epoch,
however it ended. Several may work on one FOLDER; each takes what no other has. The photos are
divided as those of the recordings: the epoch is chosen on the choose photos, and nothing here looks
at the test photos.

How many epochs fit is found before a training by timing its steps and its validation in processor
time, and written to plan.json: from then on it is fixed, so that a resumed training ends as an
uninterrupted one.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from benchmarks.hour_candidates import CANDIDATES, Candidate
from benchmarks.step_times import Photos, time_steps
from data_pipeline.errors import InputError
from models.beginnings.folder_store import FolderStore
from models.bundle.store import write_bundle
from models.file_names import SAMPLES
from models.networks.generator import Generator
from models.training.checkpoint import load_checkpoint
from models.training.device import resolve_compute
from models.training.loss_window import NonFiniteLossError
from models.training.settings import TrainingSettings
from models.training.trial import TrialTraining
from search.run.directory import append_rows, program_version, read_json, read_rows, write_json
from search.run.trial_files import append_report, take_up_rows

PLAN, ROW, CPU = "plan.json", "row.json", "cpu.jsonl"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--images", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        photos = Photos.open(options.images, options.side)
        rows = []
        for seed in options.seeds:
            for name in options.only:
                hour = Hour(name, seed, photos, out=options.out, minutes=options.minutes)
                if row := hour.run():
                    rows.append(row)
    except InputError as error:
        parser.error(str(error))
    print("\n".join(table(rows)))


class Hour:
    """One candidate's training with one seed, in a folder of its own."""

    def __init__(self, name: str, seed: int, photos: Photos, *, out: Path, minutes: float) -> None:
        self.name, self.seed, self.photos, self.out, self.minutes = name, seed, photos, out, minutes
        self.candidate: Candidate = CANDIDATES[name]
        self.folder = out / f"{name}-s{seed}"

    def run(self) -> dict[str, Any] | None:
        """Train, or go on; export; return the row, or None while another process is at it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder / "lock") as alone:
            if not alone:
                print(f"{self.folder.name}: another process is at it", flush=True)
                return None
            plan = self.plan()
            if not (self.folder / ROW).exists():
                self._train(plan)
        return read_json(self.folder / ROW)

    def plan(self) -> dict[str, Any]:
        """Number of epochs and settings: what was written down, else by timing steps now."""
        path = self.folder / PLAN
        if path.exists():
            plan = read_json(path)
            settings = TrainingSettings.from_dict(plan["settings"])
            if (self.minutes, self._settings(plan["epochs"])) != (plan["minutes"], settings):
                raise InputError(
                    f"{path} was made for another number of minutes or another recipe; take "
                    f"another --out, or remove {self.folder} to begin it anew"
                )
            return plan
        times = None
        if self.candidate.epochs is not None:
            epochs = self.candidate.epochs
        elif self.candidate.epochs_of is not None:
            epochs = self._epochs_of(self.candidate.epochs_of)
        else:
            settings = self._settings(100)
            times = time_steps(settings, self.photos)
            epochs = times.epochs_in(
                60.0 * self.minutes,
                steps=len(self.photos.split.train) // settings.batch_size,
                beginning=self.candidate.beginning,
                adversarial=settings.adversarial,
            )
        plan = {
            "minutes": self.minutes,
            "epochs": epochs,
            "settings": self._settings(epochs).to_dict(),
            "times": times and times._asdict(),
        }
        print(f"{self.folder.name}: {epochs} epochs, {times or 'not timed'}", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        mine = path.with_suffix(f".{os.getpid()}")
        write_json(mine, plan)
        with suppress(FileExistsError):  # of two processes the first decides
            os.link(mine, path)
        mine.unlink()
        return read_json(path)

    def _epochs_of(self, name: str) -> int:
        other = Hour(name, self.seed, self.photos, out=self.out, minutes=self.minutes)
        epochs: int = other.plan()["epochs"]
        return epochs

    def _settings(self, epochs: int) -> TrainingSettings:
        side = self.photos.cache.image_size
        return self.candidate.scheduled(epochs, image_size=side, seed=self.seed)

    def _train(self, plan: dict[str, Any]) -> None:
        settings = TrainingSettings.from_dict(plan["settings"])
        trial = TrialTraining(
            self.folder,
            settings=settings,
            max_epochs=plan["epochs"],
            cache=self.photos.cache,
            split=self.photos.split,
            objective=self.candidate.objective,
            compute=resolve_compute("cpu", settings.precision),
            max_validation_photos=len(self.photos.split.validation),
            beginnings=FolderStore(self.out / "beginnings"),
        )
        _, validations = take_up_rows(self.folder)
        last = trial.last_report
        if last and (not validations or last.epoch > validations[-1]["epoch"]):
            append_report(self.folder, last.to_dict())  # killed after the checkpoint
        failed = None
        while not trial.done:
            started = time.process_time()
            try:
                report = trial.run_epoch()
            except NonFiniteLossError as error:
                failed = f"diverged: {error}"
                break
            append_report(self.folder, report.to_dict())
            cpu = {"epoch": report.epoch, "cpu_seconds": time.process_time() - started}
            append_rows(self.folder / CPU, [cpu])
            print(
                f"{time.strftime('%H:%M:%S')} {self.folder.name} {report.epoch}/{plan['epochs']} "
                f"{trial.objective.metric} {report.metrics[trial.objective.metric]:.4g} "
                f"grey_skill {report.metrics['grey_skill']:.4f} best epoch {report.best_epoch}",
                flush=True,
            )
        self._export(trial, plan, failed)

    def _export(self, trial: TrialTraining, plan: dict[str, Any], failed: str | None) -> None:
        row = {
            "name": self.folder.name,
            "note": self.candidate.note,
            **plan,
            "failed": failed,
            "cpu_seconds": sum(each["cpu_seconds"] for each in read_rows(self.folder / CPU)),
        }
        if trial.best is not None and trial.last_report is not None:
            metrics = trial.best.metrics
            row |= {
                "seconds": trial.seconds,
                "shared_epochs": trial.shared_epochs,
                "seconds_saved": trial.seconds_saved,
                "discriminator_auc": trial.last_report.discriminator_auc,
                "best_epoch": trial.best.epoch,
                "penalized_objective": trial.objective.penalized(metrics),
                "metrics": metrics,
            }
            self._write_bundle(trial, row)
        write_json(self.folder / ROW, row)

    def _write_bundle(self, trial: TrialTraining, row: dict[str, Any]) -> None:
        best = load_checkpoint(trial.best_path)
        generator = Generator.from_settings(trial.settings)
        generator.load_state_dict(best["generator"])
        write_bundle(
            self.out / "bundles" / self.folder.name,
            generator=generator.eval(),
            config={
                "image_size": trial.settings.image_size,
                "fit": self.photos.cache.fit,
                "dropout": trial.settings.dropout,
                "run": self.folder.name,
                "epoch": best["epoch"],
                "hyperparameters": trial.settings.to_dict(),
                "training": {"epochs": row["epochs"], "cpu_seconds": row["cpu_seconds"]},
                "metrics": best["metrics"],
                "versions": {
                    "chromatune": program_version(),
                    "torch": torch.__version__,
                    "python": platform.python_version(),
                },
            },
            samples_png=(trial.folder / SAMPLES).read_bytes(),
            force=True,
        )


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown about the choose photos."""
    metrics = ("set_swd", "grey_skill", "ab_hf_ratio", "colorfulness", "frechet_ab")
    titles = ("", "what", "epochs", "best", "core minutes", "AUC", "penalized", *metrics)
    yield f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"
    for row in rows:
        cells = [row["name"], row["failed"] or row["note"], str(row["epochs"])]
        if "metrics" in row:
            auc = row["discriminator_auc"]
            cells += [str(row["best_epoch"]), f"{row['cpu_seconds'] / 60:.1f}"]
            cells += ["" if auc is None else f"{auc:.2f}"]
            cells += [f"{row['penalized_objective']:.4g}"]
            cells += [f"{row['metrics'][name]:.3g}" for name in metrics]
        yield f"| {' | '.join(cells)} |"


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether no other process holds the lock; the kernel frees it however this one ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


if __name__ == "__main__":
    main()
