"""A trial in its folder: reports, best epoch, pictures, checkpoints."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, open_cache
from data_pipeline.errors import InputError
from data_pipeline.split import split_by_content
from models.file_names import PROGRESS
from models.metrics.names import METRICS
from models.metrics.objective import Objective
from models.metrics.validation import validate
from models.networks.generator import Generator
from models.training.checkpoint import load_checkpoint
from models.training.epoch_progress import (
    EpochProgress,
    ProgressFile,
    read_progress,
)
from models.training.loss_window import NonFiniteLossError
from models.training.sample_grid import sample_grid
from models.training.settings import TrainingSettings
from models.training.step import AdversarialPair
from models.training.trial import TrialTraining, drop_optimizers
from tests.models.toys import TRIAL_EPOCHS, cpu, differences, new_trial, tiny_settings


def test_reports_say_what_the_trial_learnt(
    uninterrupted: tuple[Path, list[dict[str, Any]]], photo_cache: PhotoCache
) -> None:
    folder, reports = uninterrupted
    keys = ["epoch", "step", "images", "seconds", "windows", "metrics", "feasible"]
    keys += ["best_epoch", "best_metrics", "done", "discriminator_auc"]
    keys += ["shared_epochs", "seconds_saved"]
    assert [list(report) for report in reports] == [keys] * TRIAL_EPOCHS
    steps = len(split_by_content(photo_cache.hashes).train) // 4
    assert [report["epoch"] for report in reports] == [1, 2, 3]
    assert [report["step"] for report in reports] == [steps, 2 * steps, 3 * steps]
    assert [report["images"] for report in reports] == [4 * steps, 8 * steps, 12 * steps]
    assert [report["done"] for report in reports] == [False, False, True]
    objective = Objective()
    for report in reports:
        assert list(report["metrics"]) == list(METRICS)
        assert report["feasible"] == objective.feasible(report["metrics"])
        assert report["windows"][-1]["step"] == report["step"]
        assert report["windows"][-1]["epoch"] == report["epoch"]
        best = reports[report["best_epoch"] - 1]
        assert report["best_metrics"] == best["metrics"]
    assert reports[-1]["best_metrics"] == min(
        (report["metrics"] for report in reports), key=objective.sort_key
    )
    seconds = [report["seconds"] for report in reports]
    assert seconds == sorted(seconds)
    assert sorted(path.name for path in folder.iterdir()) == [
        "best.pt",
        "checkpoint.pt",
        "originals.png",
        "samples.png",
    ]


def test_the_discriminator_is_measured_on_validation_photos_after_each_of_its_epochs(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    trial = new_trial(tmp_path / "0000", photo_cache, settings=tiny_settings(pretrain_epochs=1))
    reports = [trial.run_epoch() for _ in range(TRIAL_EPOCHS)]
    assert reports[0].discriminator_auc is None
    assert all(report.discriminator_auc is not None for report in reports[1:])
    # By hand, of what is there after the last epoch.
    indices = split_by_content(photo_cache.hashes).validation[:12]
    L_N1HW, real_N2HW = load_batch(photo_cache, indices)
    generator, judge = trial.training.generator.eval(), trial.training.pair.discriminator
    for module in judge.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        fake_N2HW = generator(L_N1HW)
        logits = [
            np.concatenate(
                [judge(*pair).flatten() for pair in zip(L_N1HW.split(4), ab.split(4), strict=True)]
            )
            for ab in (real_N2HW, fake_N2HW)
        ]
    # Whole batches, or all if there is no whole one.
    whole = len(indices) // 4 * 4 or len(indices)
    pairs = np.sign(logits[0][:whole, None] - logits[1][:whole])
    assert reports[-1].discriminator_auc == pytest.approx(0.5 + 0.5 * pairs.mean())
    # A trial that goes on remembers it.
    again = new_trial(tmp_path / "0000", photo_cache, settings=tiny_settings(pretrain_epochs=1))
    assert again.last_report is not None
    assert again.last_report.discriminator_auc == reports[-1].discriminator_auc


def test_best_checkpoint_is_the_generator_that_was_validated(
    uninterrupted: tuple[Path, list[dict[str, Any]]], photo_cache: PhotoCache
) -> None:
    folder, reports = uninterrupted
    best = load_checkpoint(folder / "best.pt")
    assert best["epoch"] == reports[-1]["best_epoch"]
    assert best["metrics"] == reports[-1]["best_metrics"]
    assert TrainingSettings.from_dict(best["settings"]) == tiny_settings()
    indices = split_by_content(photo_cache.hashes).validation[:12]
    metrics = validate(
        best_generator(folder), [load_batch(photo_cache, indices)], device=torch.device("cpu")
    )
    assert metrics == pytest.approx(best["metrics"], rel=1e-4, abs=1e-6)


def test_pictures_show_what_the_best_generator_makes_of_validation_photos(
    uninterrupted: tuple[Path, list[dict[str, Any]]], photo_cache: PhotoCache
) -> None:
    folder, _ = uninterrupted
    indices = split_by_content(photo_cache.hashes).validation[:9]
    L_N1HW, real_N2HW = load_batch(photo_cache, indices)
    with torch.no_grad():
        fake_N2HW = best_generator(folder)(L_N1HW)
    samples = np.asarray(Image.open(folder / "samples.png")).astype(int)
    originals = np.asarray(Image.open(folder / "originals.png")).astype(int)
    # One code of rounding: the networks' memory layout differs.
    assert np.abs(samples - sample_grid(L_N1HW, fake_N2HW)).max() <= 1
    assert np.abs(originals - sample_grid(L_N1HW, real_N2HW)[:, 104:]).max() <= 1
    # 3 x 3 tiles of 32 pixels with gaps of 2; two such grids and a wider gap between them.
    assert originals.shape == (100, 100, 3)
    assert samples.shape == (100, 204, 3)
    assert np.ptp(samples[:, :100], axis=2).max() <= 1  # grey, but for rounding
    assert np.ptp(originals[:32, :32], axis=2).max() > 50


def best_generator(folder: Path) -> Generator:
    best = load_checkpoint(folder / "best.pt")
    generator = Generator(best["settings"]["generator_complexity"]).eval()
    generator.load_state_dict(best["generator"])
    return generator


def scripted(**changes: float) -> dict[str, float]:
    """Metrics of an epoch; with an objective of 10 far from the guards unless told otherwise."""
    return {**dict.fromkeys(METRICS, 1.0), "set_swd": 10.0, **changes}


GREY = {"grey_skill": -0.1}
SPECKLED = {"ab_hf_ratio": 3.0}


@pytest.mark.parametrize(
    ("epochs", "best_epochs"),
    [
        ([scripted(), scripted(set_swd=9.0), scripted(set_swd=9.5)], [1, 2, 2]),
        ([scripted(), scripted(), scripted()], [1, 1, 1]),
        # Guards are no cliffs: what they cost is weighed against what is won.
        ([scripted(set_swd=9.0, **GREY), scripted(), scripted(set_swd=9.9, **SPECKLED)], [1, 1, 1]),
        ([scripted(), scripted(set_swd=9.9, **GREY), scripted(set_swd=7.9, **SPECKLED)], [1, 1, 3]),
        ([scripted(set_swd=math.nan), scripted(**GREY), scripted()], [1, 2, 3]),
        ([scripted(), scripted(set_swd=math.nan), scripted(set_swd=8.0)], [1, 1, 3]),
    ],
)
def test_the_best_epoch_is_kept(
    epochs: list[dict[str, float]],
    best_epochs: list[int],
    tmp_path: Path,
    photo_cache: PhotoCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics = iter(epochs)
    monkeypatch.setattr("models.training.trial.validate", lambda *_, **__: next(metrics))
    settings = tiny_settings(adversarial_factor=0.0)
    trial = new_trial(tmp_path, photo_cache, settings=settings)
    generators, pictures = [], []
    for epoch, best_epoch in enumerate(best_epochs, start=1):
        if epoch == 3:
            trial = new_trial(tmp_path, photo_cache, settings=settings)
        report = trial.run_epoch()
        state = {n: t.clone() for n, t in trial.training.generator.state_dict().items()}
        generators.append(state)
        pictures.append((tmp_path / "samples.png").read_bytes())
        assert report.best_epoch == best_epoch
        assert differences(report.best_metrics, epochs[best_epoch - 1]) == []
        assert report.feasible == Objective().feasible(epochs[epoch - 1])
        best = load_checkpoint(tmp_path / "best.pt")
        assert best["epoch"] == best_epoch
        assert differences(best["metrics"], epochs[best_epoch - 1]) == []
        assert differences(best["generator"], generators[best_epoch - 1]) == []
        assert pictures[-1] == pictures[best_epoch - 1]


def test_a_loss_that_is_not_finite_leaves_earlier_checkpoints(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    trial = new_trial(tmp_path, photo_cache)
    report = trial.run_epoch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with torch.no_grad():
        trial.training.pair.generator.inc[0].weight.fill_(math.nan)
    with pytest.raises(NonFiniteLossError, match=rf"was nan at step {report.step + 1}$"):
        trial.run_epoch()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert new_trial(tmp_path, photo_cache).training.epoch == 1


def test_fewer_photos_than_a_grid_has_places(tmp_path: Path, photo_cache: PhotoCache) -> None:
    split = split_by_content(photo_cache.hashes)
    trial = TrialTraining(
        tmp_path,
        settings=tiny_settings(ema_images=0, adversarial_factor=0.0),
        max_epochs=1,
        cache=photo_cache,
        split=split,
        objective=Objective(),
        compute=cpu(),
        max_validation_photos=2,
    )
    trial.run_epoch()
    assert trial.training.pair.generator.training
    originals = np.asarray(Image.open(tmp_path / "originals.png"))
    assert originals.shape == (100, 100, 3)
    assert (originals[34:] == 255).all()
    assert (originals[:32, 68:] == 255).all()


def test_the_photos_themselves_are_not_needed(tmp_path: Path, photo_cache: PhotoCache) -> None:
    again = open_cache(photo_cache.path)
    settings = tiny_settings(adversarial_factor=0.0)
    assert new_trial(tmp_path, again, settings=settings, max_epochs=1).run_epoch().done


def test_a_batch_larger_than_the_training_set_is_refused(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    n_photos = len(split_by_content(photo_cache.hashes).train)
    with pytest.raises(InputError, match="batch_size must be between 1 and the number"):
        new_trial(tmp_path, photo_cache, settings=tiny_settings(batch_size=n_photos + 1))


def test_an_ended_trial_without_its_optimizers_keeps_its_weights_and_cannot_go_on(
    tmp_path: Path, photo_cache: PhotoCache
) -> None:
    trial = new_trial(tmp_path, photo_cache)
    trial.run_epoch()
    whole, size = load_checkpoint(trial.checkpoint_path), trial.checkpoint_path.stat().st_size
    drop_optimizers(tmp_path)
    slim = load_checkpoint(trial.checkpoint_path)
    assert trial.checkpoint_path.stat().st_size < 0.6 * size
    for network in ("generator", "discriminator", "average"):
        assert differences(slim["training"][network], whole["training"][network]) == []
    with pytest.raises(InputError, match="optimizers were dropped"):
        new_trial(tmp_path, photo_cache)
    drop_optimizers(tmp_path)  # once more is no harm
    drop_optimizers(tmp_path / "absent")


def test_200_trials_of_the_widest_networks_at_256_pixels_stay_under_5_gb(tmp_path: Path) -> None:
    """Checkpoints, pictures and rows of a run like the report's final model, 20 of them whole."""
    pair = AdversarialPair(
        TrainingSettings(generator_complexity=72, discriminator_complexity=14, image_size=256),
        cpu(),
    )
    generator = _bytes(pair.generator)
    both = generator + _bytes(pair.discriminator)
    # The average and the best generator stand beside the weights; Adam keeps two moments of each.
    slim, whole = both + 2 * generator, 3 * both + 2 * generator
    # Nine photos in grey, in colour and as they were; at worst noise that does not compress.
    pictures = 27 * 256 * 256 * 3
    assert 20 * whole + 180 * slim + 200 * pictures < 5e9


def _bytes(network: torch.nn.Module) -> int:
    return sum(tensor.nbytes for tensor in network.state_dict().values())


def test_each_step_is_shown(tmp_path: Path, photo_cache: PhotoCache) -> None:
    trial = new_trial(tmp_path, photo_cache)
    trial.run_epoch()
    seen: list[EpochProgress] = []
    report = trial.run_epoch(on_step=seen.append)
    steps = report.step // 2
    assert [(each.epoch, each.step, each.steps) for each in seen] == [
        (1, i + 1, steps) for i in range(steps)
    ]
    assert seen[-1].epochs == 2
    last = report.windows[-1]
    assert seen[-1].reconstruction == last["reconstruction_ema"]
    assert seen[-1].adversarial == last["adversarial_ema"]


def test_the_file_of_a_step_is_written_now_and_then_and_read_back(tmp_path: Path) -> None:
    assert read_progress(tmp_path) is None
    show = ProgressFile(tmp_path / PROGRESS)
    reached = EpochProgress(epoch=3, step=1, steps=9, reconstruction=0.5, adversarial=None)
    show(reached)
    assert read_progress(tmp_path) == reached
    show(replace(reached, step=2))  # within the same second
    assert read_progress(tmp_path) == reached
    show(replace(reached, step=9))  # a validation may take long
    assert read_progress(tmp_path) == replace(reached, step=9)
    for damaged in (b"", b'{"epoch": 1', b"[]", b'{"epoch": 1}'):
        (tmp_path / PROGRESS).write_bytes(damaged)
        assert read_progress(tmp_path) is None
