"""A whole search with real Ray, Optuna and photos, and what people do with it afterwards."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from PIL import Image

from search.cli.main import main
from search.run.directory import read_rows
from tests.search.tune.events import read_events

ROOT = Path(__file__).parents[3]
COLUMNS = """rank trial_id state generator_complexity discriminator_complexity generator_lr
discriminator_lr adversarial_factor generator_parameters discriminator_parameters parameter_ratio
conv_parameter_ratio adversarial_drift adversarial_trend reconstruction_drift epochs steps
seconds""".split()  # noqa: SIM905
METRICS = """l1 grey_skill psnr ssim delta_e colorfulness colorfulness_gap chroma_log_ratio ab_swd
frechet_ab ab_hf_ratio set_swd""".split()  # noqa: SIM905
SEARCH = """search --images synthetic:60 --image-size 32 --batch-size 8 --trials 4 --max-epochs 3
--concurrency 2 --seed 3""".split()  # noqa: SIM905


def chromatune(*arguments: str, cwd: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "search.cli.main", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CHROMATUNE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("place")
    done = chromatune(*SEARCH, "--name", "small", cwd=folder, cache=cache)
    assert done.returncode == 0, done.stderr
    (folder / "stderr.txt").write_text(done.stderr)
    assert done.stdout == ""
    return folder


def test_the_progress_is_a_few_plain_lines_without_chatter(place: Path) -> None:
    lines = (place / "stderr.txt").read_text().splitlines()
    patterns = (
        r"\d+ photos: \d+ train, \d+ validate, \d+ test",
        r"\[\d/4\] trial \d{4} (complete|pruned)  set_swd .* s.*",
        r"done: 4 trials",
        r"Trial \d{4} has (both )?the best colours.*(and|trial \d{4}) the best balance.*\.",
        r"On \d+ photos that chose nothing \(90% intervals\): trial \d{4} set_swd .*\.",
        r"trained \d+ s; shared beginnings saved \d+ s \(\d+%\)",
        r"see it with: chromatune leaderboard runs/small",
        r"take the best colours with: chromatune export runs/small --out DIR",
    )
    # Only where the best colours fail the guards, after what is known of them.
    guards = r"colours of trial \d{4}: .* must be .*; try .*"
    known = next(i for i, line in enumerate(lines) if line.startswith("On "))
    assert [i for i, line in enumerate(lines) if re.fullmatch(guards, line)] in ([], [known + 1])
    lines = [line for line in lines if not re.fullmatch(guards, line)]
    for line in lines:
        assert any(re.fullmatch(pattern, line) for pattern in patterns), line
    assert sum(line.startswith("[") for line in lines) == 4
    assert sum(line.startswith("On ") for line in lines) == 1


def test_the_run_folder_holds_what_the_contract_says(place: Path) -> None:
    run = place / "runs" / "small"
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    config = json.loads((run / "config.json").read_text())
    assert config["space"]["image_size"] == 32
    assert config["space"]["dropout"] == 0.5
    data = json.loads((run / "data.json").read_text())
    assert data["photos"] == data["train"] + data["validation"] + data["test"]
    assert data["test"] > 0
    rows = {row["trial_id"]: row for row in read_rows(run / "trials.jsonl")}
    assert sorted(rows) == ["0000", "0001", "0002", "0003"]
    for trial_id, row in rows.items():
        folder = run / "trials" / trial_id
        names = {path.name for path in folder.iterdir()}
        complete = row["state"] == "complete"
        assert ("test_set_swd" in row) == complete
        if complete:
            assert row["test_set_swd_low"] <= row["test_set_swd"] <= row["test_set_swd_high"]
            assert row["test_guards"] in ("holds", "breaks", "unclear")
        assert names - {"test.json"} == {
            "parameters.json",
            "curves.jsonl",
            "validation.jsonl",
            "samples.png",
            "originals.png",
            "checkpoint.pt",
            "best.pt",
        }
        curves = read_rows(folder / "curves.jsonl")
        assert curves[-1]["step"] == row["steps"]
        for window in curves:
            # Nothing is known of a discriminator that does not train yet.
            alone = window["epoch"] <= row["pretrain_epochs"]
            assert (window["probability_real"] is None) == alone
            assert alone or 0.0 < window["probability_real"] < 1.0
        assert curves[-1]["adversarial_ema"] > 0
        validation = read_rows(folder / "validation.jsonl")
        assert len(validation) == row["epochs"]
        best = validation[row["best_epoch"] - 1]
        for name in METRICS:
            assert best[name] == row[name]
        with Image.open(folder / "samples.png") as grid:
            assert grid.width > 6 * 32
            assert grid.height > 3 * 32


def test_tensorboard_finds_losses_and_metrics(place: Path) -> None:
    for number in range(4):
        run, trial_id = place / "runs" / "small", f"{number:04d}"
        curves = read_rows(run / "trials" / trial_id / "curves.jsonl")
        validation = read_rows(run / "trials" / trial_id / "validation.jsonl")
        logged = read_events(run / "ray" / "tune" / trial_id)
        for name in ("reconstruction", "adversarial_ema"):
            assert logged.scalars[f"losses/{name}"] == {
                row["step"]: pytest.approx(row[name]) for row in curves if row[name] is not None
            }
        assert logged.scalars["metrics/ab_swd"] == {
            row["step"]: pytest.approx(row["ab_swd"]) for row in validation
        }
        assert logged.hparams["generator_complexity"] > 0
        grid = (run / "trials" / trial_id / "samples.png").read_bytes()
        assert logged.pictures["samples"] == grid


def test_the_study_tells_the_same_story(place: Path) -> None:
    run = place / "runs" / "small"
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(run / "study.journal"))
    )
    study = optuna.load_study(study_name="small", storage=storage)
    rows = {row["trial_id"]: row for row in read_rows(run / "trials.jsonl")}
    states = {"complete": "COMPLETE", "pruned": "PRUNED"}
    for trial in study.trials:
        row = rows[f"{trial.number:04d}"]
        assert trial.state.name == states[row["state"]]
        (artifact,) = optuna.artifacts.get_all_artifact_meta(trial, storage=storage)
        copied = (run / "artifacts" / artifact.artifact_id).read_bytes()
        assert copied == (run / "trials" / row["trial_id"] / "samples.png").read_bytes()
        # Every report has reached the study, the last one too.
        assert list(trial.intermediate_values) == list(range(1, row["epochs"] + 1))
        assert trial.params["generator_complexity"] == row["generator_complexity"]


def test_the_leaderboard_has_the_contract_in_every_format(
    place: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    run = str(place / "runs" / "small")
    boards = {}
    for name, read in (
        ("csv", pd.read_csv),
        ("json", pd.read_json),
        ("parquet", pd.read_parquet),
    ):
        assert main(["leaderboard", run, "--format", name]) == 0
        captured = capfdbinary.readouterr()
        assert captured.err == b""
        boards[name] = read(io.BytesIO(captured.out))
        columns = list(boards[name].columns)
        assert columns[: len(COLUMNS) + len(METRICS)] == [*COLUMNS, *METRICS]
        assert boards[name]["rank"].tolist() == [1, 2, 3, 4]
    for name in METRICS:
        assert boards["csv"][name].tolist() == boards["parquet"][name].tolist()
    assert main(["leaderboard", run, "--format", "markdown", "--top", "2"]) == 0
    assert capfdbinary.readouterr().out.count(b"\n") == 4
    assert main(["leaderboard", run]) == 0
    table = capfdbinary.readouterr().out.decode()
    assert max(map(len, table.splitlines())) <= 100
    out = place / "board.csv"
    assert main(["leaderboard", run, "--format", "csv", "--out", str(out)]) == 0
    assert pd.read_csv(out).shape[0] == 4


def test_export_and_colorize_keep_size_and_lightness(place: Path) -> None:
    run, bundle = str(place / "runs" / "small"), place / "bundle"
    assert main(["export", run, "--out", str(bundle)]) == 0
    assert main(["export", run, "--out", str(bundle)]) == 2
    assert main(["export", run, "--out", str(bundle), "--trial", "77", "--force"]) == 2
    config = json.loads((bundle / "config.json").read_text())
    board = pd.read_json(_leaderboard_json(run))
    assert config["trial_id"] == f"{board['trial_id'][0]:04d}"
    assert config["grey_metrics"]["grey_skill"] == 0.0
    photo = place / "photo.png"
    assert main(["data", "sample", "synthetic:1", "--out", str(photo)]) == 0
    assert main(["colorize", str(bundle), str(photo), "--out", str(place / "colour")]) == 0
    with Image.open(photo) as grey, Image.open(place / "colour" / "photo.png") as colour:
        assert colour.size == grey.size
        before = np.asarray(grey.convert("L"), dtype=int)
        after = np.asarray(colour.convert("L"), dtype=int)
        assert np.abs(before - after).mean() < 3
    missing = str(place / "missing.jpg")
    assert main(["colorize", str(bundle), missing, "--out", str(place / "none")]) == 2
    assert not (place / "none").exists()


def _leaderboard_json(run: str) -> io.BytesIO:
    from analysis.leaderboard.export_formats import write_leaderboard
    from analysis.leaderboard.ranked_trials import build_leaderboard
    from analysis.stored_run.run import open_run

    return io.BytesIO(write_leaderboard(build_leaderboard(open_run(run)), "json"))


def test_a_finished_run_can_be_extended_and_keeps_its_trials(place: Path, cache: Path) -> None:
    run = place / "runs" / "small"
    before = read_rows(run / "trials.jsonl")
    done = chromatune(
        "search", "--resume", "--name", "small", "--trials", "+1", cwd=place, cache=cache
    )
    assert done.returncode == 0, done.stderr
    after = read_rows(run / "trials.jsonl")
    assert after[: len(before)] == before
    assert [row["trial_id"] for row in after[len(before) :]] == ["0004", "0004"]
