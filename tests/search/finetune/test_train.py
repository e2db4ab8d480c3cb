"""A winner trained on: as if it had been given more epochs, at other sizes, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_pipeline.cache.build import open_cache
from data_pipeline.split import split_by_content
from models.bundle.store import FILE_NAMES, load_bundle
from models.metrics.names import METRICS
from models.networks.complexity import discriminator_parameters, generator_parameters, network_sizes
from models.training.checkpoint import drop_optimizers, load_checkpoint
from search.cli.main import main
from search.run import photos
from search.run.directory import RunFolder, read_json, read_rows, write_json
from tests.models.toys import differences
from tests.search.trained import (
    EPOCHS,
    SEARCHED,
    contents,
    error_of,
    resume,
    settings_of,
    train,
)

pytestmark = pytest.mark.usefixtures("run")


def test_going_on_equals_a_trial_that_was_given_more_epochs(
    straight: Path, reference: Path
) -> None:
    folder = straight / "training/trials/0000"
    for name in ("checkpoint.pt", "best.pt"):
        expected = load_checkpoint(reference / name)
        assert differences(load_checkpoint(folder / name), expected) == []
    for name in ("samples.png", "originals.png"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes()
    assert [row["epoch"] for row in read_rows(folder / "validation.jsonl")] == [1, 2, 3, 4, 5]
    steps = [row["step"] for row in read_rows(folder / "curves.jsonl")]
    assert steps == sorted(set(steps))


def test_the_bundle_holds_the_best_epochs_averaged_weights(
    straight: Path, reference: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(straight)
    best = load_checkpoint(reference / "best.pt")
    for name, tensor in bundle.generator.state_dict().items():
        assert torch.equal(tensor, best["generator"][name])
    assert bundle.config["epoch"] == best["epoch"]
    assert bundle.config["run"] == "mine"
    assert bundle.config["trial_id"] == "0000"
    assert bundle.config["training"] == {"epochs": EPOCHS, "continued_after_epoch": SEARCHED}
    assert "found_by_search" not in bundle.config["balance"]
    assert (straight / "samples.png").read_bytes() == (reference / "samples.png").read_bytes()
    grey = np.random.default_rng(0).integers(0, 255, (40, 56), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    out = tmp_path / "colour"
    assert main(["colorize", str(straight), str(tmp_path / "grey.png"), "--out", str(out)]) == 0
    with Image.open(out / "grey.png") as colour:
        assert colour.size == (56, 40)


def test_the_run_is_left_as_it_was_and_the_training_can_be_looked_at(
    run: Path, straight: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(read_rows(run / "trials/0000/validation.jsonl")) == SEARCHED
    training = straight / "training"
    assert read_json(training / "run.json")["status"] == "finished"
    assert main(["leaderboard", str(training), "--format", "json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["trial_id"], row["state"], row["epochs"]) == ("0000", "complete", EPOCHS)
    assert main(["report", str(training), "--out", str(tmp_path / "report.html")]) == 0
    assert main(["export", str(training), "--out", str(tmp_path / "again")]) == 0
    for name in FILE_NAMES:
        assert (tmp_path / "again" / name).read_bytes() == (straight / name).read_bytes()


def test_progress_is_plain_lines_on_standard_error(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(run, tmp_path / "out", epochs=3) == 0
    lines = error_of(capfd).splitlines()
    assert lines[0] == "40 photos: 25 train, 10 validate, 5 test"
    assert lines[1] == "trial 0000 of mine goes on after epoch 2, up to epoch 3"
    assert lines[2].startswith("[3/3] set_swd ")
    assert lines[3].startswith("done: 3 of 3 epochs; best set_swd ")
    assert lines[4].startswith("wrote the generator of epoch ")
    assert len(lines) == 5


@pytest.mark.parametrize("size", [64, 96])
def test_another_size_keeps_the_ratio_and_begins_with_fresh_weights(
    size: int, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "large"
    assert train(run, out, "--image-size", str(size), epochs=1) == 0
    error = error_of(capfd)
    searched = settings_of(run / "trials/0000")
    settings = settings_of(out / "training/trials/0000")
    width, g = searched.discriminator_complexity, searched.generator_complexity
    ratio = network_sizes(g, width, 32).parameter_ratio
    distances = {
        d: abs(discriminator_parameters(d, size) / generator_parameters(g) - ratio)
        for d in range(1, 50)
    }
    nearest = min(distances, key=lambda d: distances[d])
    assert nearest < width
    assert settings == replace(searched, image_size=size, discriminator_complexity=nearest)
    assert "begins again with fresh weights" in error
    assert f"discriminator width: {width} at 32 pixels, {nearest} at {size}" in error
    config = load_bundle(out).config
    assert config["image_size"] == size
    assert config["training"] == {"epochs": 1, "continued_after_epoch": None}
    assert config["balance"]["discriminator_complexity"] == nearest
    assert config["balance"]["parameter_ratio"] == network_sizes(g, nearest, size).parameter_ratio
    found = config["balance"]["found_by_search"]
    assert (found["image_size"], found["discriminator_complexity"]) == (32, width)
    assert found["parameter_ratio"] == ratio
    card = (out / "README.md").read_text()
    assert f"| found_by_search.discriminator_complexity | {width} |" in card
    assert f"| found_by_search.parameter_ratio | {ratio:.4g} |" in card


def test_restart_takes_fresh_weights(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "again"
    assert train(run, out, "--restart", epochs=1) == 0
    assert "fresh weights (--restart)" in error_of(capfd)
    # The same training from the start: its first epoch is that of the trial.
    (row,) = read_rows(out / "training/trials/0000/validation.jsonl")
    assert differences(row, read_rows(run / "trials/0000/validation.jsonl")[0]) == []


def test_smooth_upsampling_takes_fresh_weights_and_reaches_the_bundle(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "smooth"
    assert train(run, out, "--smooth-upsampling", epochs=1) == 0
    assert "begins again with fresh weights (--smooth-upsampling)" in capfd.readouterr().err
    assert load_bundle(out).generator.smooth_upsampling
    settings = settings_of(run / "trials/0000")
    assert settings_of(out / "training/trials/0000") == replace(settings, smooth_upsampling=True)
    assert resume(out, "--smooth-upsampling", "--epochs", "2") == 0


def test_a_trial_without_a_checkpoint_begins_again(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(run, tmp_path / "out", "--trial", "1", epochs=1) == 0
    assert "trial 0001 of mine begins again with fresh weights (the search kept no" in error_of(
        capfd
    )


def test_a_trial_without_its_optimizers_begins_again(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path / "mine")
    drop_optimizers(tmp_path / "mine/trials/0000")
    assert train(tmp_path / "mine", tmp_path / "out", epochs=1) == 0
    assert "begins again with fresh weights (the search kept no state" in error_of(capfd)


def test_other_photos_begin_again_and_equal_ones_go_on(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(run, tmp_path / "other", "--images", "synthetic:36", epochs=1) == 0
    assert "its photos are not those of --images" in error_of(capfd)
    assert load_bundle(tmp_path / "other").config["data"]["source"] == "synthetic:36"
    assert train(run, tmp_path / "equal", "--images", "synthetic:40", epochs=3) == 0
    assert "goes on after epoch 2" in error_of(capfd)


def test_without_epochs_it_trains_three_times_as_long_as_the_search(
    run: Path, tmp_path: Path
) -> None:
    assert main(["train", "--from", str(run), "--out", str(tmp_path / "out")]) == 0
    assert load_bundle(tmp_path / "out").config["training"]["epochs"] == 3 * SEARCHED


def test_force_replaces_a_training_and_nothing_else(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out)]) == 0
    assert train(run, out, epochs=3) == 2
    assert train(run, out, "--force", epochs=3) == 0
    assert train(run, out, "--force", epochs=4) == 0
    assert load_bundle(out).config["training"]["epochs"] == 4
    capfd.readouterr()
    (out / "holiday.jpg").write_bytes(b"")
    before = contents(out)
    assert train(run, out, "--force") == 2
    assert "holiday.jpg" in error_of(capfd)
    (out / "holiday.jpg").unlink()
    del before[out / "holiday.jpg"]
    training = RunFolder(out / "training")
    training.lock()
    try:
        assert train(run, out, "--force") == 2
        assert "another process" in error_of(capfd)
        assert resume(out) == 2
        assert "another process" in error_of(capfd)
    finally:
        training.close()
    # A taken lock is an empty file, and nothing else has changed.
    assert contents(out) == before


REFUSED = {
    "no more epochs": ("--epochs 2", ["--epochs", "2", "0000", "--restart"]),
    "unknown trial": ("--trial 9", ["--trial", "0002", "9"]),
    "diverged": ("--trial 2", ["0002", "non-finite loss: total was nan at step 4", "another"]),
    "diverged, afresh": ("--trial 2 --restart", ["0002", "non-finite loss"]),
    "no photos": ("--images absent", ["--images", "absent"]),
    "too few photos": ("--images synthetic:8", ["8", "synthetic:8"]),
    "zero budget": ("--time-budget 0s", ["--time-budget", "0"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(
    case: str, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags, words = REFUSED[case]
    command = ["train", "--from", str(run), "--out", str(tmp_path / "out"), *flags.split()]
    assert main(command) == 2
    error = error_of(capfd)
    assert error.count("\n") == 1, error
    for word in words:
        assert word in error
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_diverged_may_be_tried_at_another_size(run: Path, tmp_path: Path) -> None:
    assert train(run, tmp_path / "out", "--trial", "2", "--image-size", "64", epochs=1) == 0


def test_a_trial_that_is_being_trained_is_refused(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "runs"
    shutil.copytree(run, copy)
    rows = read_rows(copy / "trials.jsonl")
    (copy / "trials.jsonl").write_text(json.dumps(rows[0]) + "\n")  # it has started, no more
    folder = RunFolder(copy)
    folder.lock()
    try:
        assert train(copy, tmp_path / "out", "--trial", "0") == 2
        assert "a search is training trial 0000" in error_of(capfd)
    finally:
        folder.close()
    # The search was interrupted: what it left can be trained on, but is nobody's best yet.
    assert train(copy, tmp_path / "out") == 2
    assert "train needs a trial that has ended" in error_of(capfd)
    assert train(copy, tmp_path / "out", "--trial", "0", epochs=3) == 0


def test_photos_that_have_changed_are_refused(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(run, copy)
    data = read_json(copy / "data.json")
    write_json(copy / "data.json", {**data, "cache": {"32": str(tmp_path / "32-crop-gone")}})
    assert train(copy, tmp_path / "out") == 2
    assert "has changed since; use --restart" in error_of(capfd)
    assert not (tmp_path / "out").exists()
    assert train(copy, tmp_path / "out", "--restart", epochs=1) == 0


def test_a_photo_that_the_search_tested_on_is_never_trained_on(run: Path, tmp_path: Path) -> None:
    tested = photos.tested_of(read_json(run / "data.json"))
    assert tested
    # More photos, among them all of the run: the division by fractions alone would move.
    assert train(run, tmp_path / "more", "--images", "synthetic:90", epochs=1) == 0
    data = read_json(tmp_path / "more/training/data.json")
    before = open_cache(Path(read_json(run / "data.json")["cache"]["32"]))
    split = split_by_content(before.hashes, test_fraction=0.1)
    withheld = {before.hashes[row] for row in split.test}
    cache = open_cache(Path(data["cache"]["32"]))
    assert withheld <= set(cache.hashes)
    after = split_by_content(cache.hashes, test_fraction=0.1, tested=photos.tested_of(data))
    assert len(after.test) == data["test"]
    assert len(after.train) == data["train"]
    assert withheld <= {cache.hashes[row] for row in after.test}
    bundle = load_bundle(tmp_path / "more").config
    assert set(bundle["test_metrics"]) == set(METRICS)
    assert "on photos that chose nothing" in (tmp_path / "more/README.md").read_text()
