"""Bad input: exit 2, one line with rule, value and remedy; nothing started, nothing touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.cli.main import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with some photos, a run, and files that are neither."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "empty").mkdir()
    rng = np.random.default_rng(0)
    few = tmp_path / "few"
    few.mkdir()
    for i in range(5):
        colours = rng.integers(0, 255, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((64, 64), Image.Resampling.BICUBIC).save(few / f"{i}.png")
    (few / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    run = tmp_path / "runs" / "taken"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"format": 1, "name": "taken", "status": "finished"}')
    (run / "config.json").write_text('{"name": "taken", "image_size": 64}')
    (tmp_path / "bad.yaml").write_text("image_sze: 64\n")
    (tmp_path / "range.yaml").write_text("space: {generator_lr: {low: 5, high: 6}}\n")
    return tmp_path


CASES = {
    "missing folder": ("search --images absent", ["absent"]),
    "empty folder": ("search --images empty", ["empty"]),
    "fewer photos than a batch": ("search --images few --image-size 32", ["batch", "16", "few"]),
    "side not divisible": ("search --images few --image-size 100", ["32", "100", "96 or 128"]),
    "unknown key": ("search --config bad.yaml", ["image_sze", "image_size"]),
    "value out of range": ("search --config range.yaml", ["generator_lr", "at most 1"]),
    "missing configuration": ("search --config absent.yaml", ["absent.yaml"]),
    "zero trials": ("search --trials 0", ["trials", "at least 1", "0"]),
    "no number": ("search --trials many", ["--trials", "many"]),
    "more of nothing": ("search --trials +20", ["--trials +20", "--resume"]),
    "no number of more": ("search --resume --name taken --trials +x", ["--trials", "+x"]),
    "neither file nor ready search": (
        "search --config beauty",
        ["beauty", "complexity", "quality"],
    ),
    "unknown tracker": ("search --log tensorboard", ["--log", "tensorboard", "mlflow", "wandb"]),
    "tracker and none": ("search --log mlflow --log none", ["log", "mlflow", "none"]),
    "no such winner": ("export runs/taken --out b --by luck", ["--by", "luck", "balance"]),
    "winner of nothing": ("export runs/taken --out b --by balance", ["has ended", "taken"]),
    "unknown flag": ("search --epochs 3", ["--epochs"]),
    "bad duration": ("search --time-budget soon", ["soon", "2h"]),
    "status of no run": ("status few", ["few", "run.json"]),
    "stop of what does not run": ("stop runs/taken", ["runs/taken", "finished"]),
    "configuration of no value": ("enqueue runs/taken generator_complexity", ["NAME=VALUE"]),
    "configuration outside the space": (
        "enqueue runs/taken generator_complexity=4000",
        ["24, 32, 48", "4000"],
    ),
    "existing name": ("search --images few --name taken", ["taken", "--resume"]),
    "resume without a name": ("search --resume", ["--name"]),
    "description of what is there": (
        "search --describe --resume --name taken",
        ["--describe", "--resume"],
    ),
    "resume of nothing": ("search --resume --name other", ["other", "--resume"]),
    "resume with another size": (
        "search --resume --name taken --image-size 128",
        ["image_size", "64", "128"],
    ),
    "name that is a path": ("search --name ../taken", ["name", "../taken"]),
    "leaderboard of no run": ("leaderboard empty", ["empty"]),
    "leaderboard of nothing": ("leaderboard absent", ["absent"]),
    "unknown sort": ("leaderboard runs/taken --sort beauty", ["beauty", "ab_swd"]),
    "report of no run": ("report few", ["few"]),
    "live report of no run": ("report few --watch", ["few", "run.json"]),
    "live report into a file": ("report runs/taken --watch --out r.html", ["--watch", "r.html"]),
    "live report from afar": ("report s3://bucket/taken --watch", ["--watch", "s3://bucket/taken"]),
    "live report at no port": ("report runs/taken --watch --port 70000", ["--port", "70000"]),
    "port of a file": ("report runs/taken --port 8090", ["--port", "8090", "--watch"]),
    "live report of no ratio": ("report runs/taken --watch --target-ratio -1", ["ratio", "-1"]),
    "export of no run": ("export few --out bundle", ["few"]),
    "export without trials": ("export runs/taken --out bundle", ["taken"]),
    "colorize without a bundle": ("colorize few few --out out", ["few"]),
    "train from no run": ("train --from few --out t", ["few"]),
    "train from nothing": ("train --out t", ["--from", "--resume"]),
    "train without trials": ("train --from runs/taken --out t", ["taken"]),
    "train at a side not divisible": (
        "train --from runs/taken --image-size 100 --out t",
        ["--image-size", "100", "96 or 128"],
    ),
    "train no epochs": ("train --from runs/taken --epochs 0 --out t", ["--epochs", "1", "0"]),
    "train without --out": ("train --from runs/taken", ["--out"]),
    "resume of no training": ("train --resume --out few", ["few", "--resume"]),
    "no command": ("", ["COMMAND"]),
}


def _check(code: int, out: str, error: str, words: list[str]) -> None:
    assert code == 2
    assert out == ""
    assert error.count("\n") == 1, error
    assert error.startswith("chromatune")
    for word in words:
        assert word in error


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_with_one_line(
    case: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command, words = CASES[case]
    before = sorted(path for path in place.rglob("*") if "cache" not in path.parts)
    try:
        code = main(command.split())
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capfd.readouterr()
    _check(code, captured.out, captured.err, words)
    assert sorted(path for path in place.rglob("*") if "cache" not in path.parts) == before


def test_bad_input_is_answered_before_ray_and_torch_are_loaded(place: Path) -> None:
    script = """
import json, sys
from search.cli.main import main
codes = []
for command in json.loads(sys.argv[1]):
    try:
        codes.append(main(command.split()))
    except SystemExit as stop:
        codes.append(stop.code)
print(json.dumps([codes, sorted({"ray", "torch"} & set(sys.modules))]))
"""
    commands = [
        command for command, _ in CASES.values() if not command.startswith(("export", "colorize"))
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands)],
        cwd=place,
        env={"PYTHONPATH": str(Path(__file__).parents[3]), "CHROMATUNE_CACHE": str(place / "c")},
        capture_output=True,
        text=True,
        check=True,
    )
    codes, loaded = json.loads(done.stdout)
    assert codes == [2] * len(commands)
    assert loaded == []


def test_a_device_that_is_not_there_is_refused(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import torch

    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    code = main(["search", "--images", "few", "--image-size", "32", "--device", missing])
    captured = capfd.readouterr()
    _check(code, captured.out, captured.err, [missing, "auto"])
    assert not (place / "runs" / missing).exists()


def test_an_unwritable_runs_folder_is_refused(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # A file where the folder should be stops even root.
    (place / "file").write_text("")
    command = "search --images few --image-size 32 --batch-size 2 --runs-dir file"
    code = main(command.split())
    captured = capfd.readouterr()
    assert code == 2
    assert "--runs-dir" in captured.err.splitlines()[-1]


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_refused(
    tracker: str, place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    code = main(["search", "--images", "few", "--image-size", "32", "--log", tracker])
    captured = capfd.readouterr()
    _check(code, captured.out, captured.err, [tracker, f"pip install 'chromatune[{tracker}]'"])
    assert [path.name for path in (place / "runs").iterdir()] == ["taken"]
