"""`chromatune colorize` as a person types it: one line of summary, exit codes, streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.bundle.generator_config import dump_config
from models.bundle.weights import write_weights
from models.networks.generator import Generator
from search.cli.main import main
from tests.models.local_hub import LocalHub


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(0)
    write_weights(folder / "generator.safetensors", Generator(2).eval())
    config = {"format": 1, "generator_complexity": 2, "image_size": 32}
    (folder / "config.json").write_text(dump_config(config), encoding="utf-8")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(6):
        grey = np.full((40, 50), 30 * i, np.uint8)
        Image.fromarray(grey).save(folder / f"{i}.jpg")
    return folder


def test_a_second_run_goes_on_and_says_so_in_one_line(
    bundle: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    command = ["colorize", str(bundle), str(photos), "--out", str(out)]
    assert main(command) == 0
    assert capfd.readouterr().err.startswith(f"colorized 6 of 6 into {out}")
    (out / "1.jpg").unlink()
    (out / "4.jpg").unlink()
    assert main(command) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(
        f"colorized 2 of 6 into {out}; 4 were there already (--force makes them again)"
    )
    assert len(list(out.iterdir())) == 6


def test_one_photo_to_a_file(
    bundle: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "result.jpg"
    command = ["colorize", str(bundle), str(photos / "1.jpg"), "--out", str(target)]
    assert main(command) == 0
    assert Image.open(target).size == (50, 40)
    before = target.read_bytes()
    capfd.readouterr()
    for wrong in (command, [*command[:2], str(photos), *command[3:]]):
        assert main([*wrong]) == 2
        captured = capfd.readouterr()
        assert captured.out == ""
        assert len(captured.err.splitlines()) == 1
        assert captured.err.startswith("chromatune: ")
    assert target.read_bytes() == before


def test_standard_input_and_output(bundle: Path, photos: Path) -> None:
    command = [sys.executable, "-m", "search.cli", "colorize", str(bundle), "-", "--out", "-"]
    content = (photos / "2.jpg").read_bytes()
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"\xff\xd8")
    assert done.stdout.endswith(b"\xff\xd9")
    assert done.stderr.startswith(b"colorized 1 of 1 into -")
    done = subprocess.run(command, input=b"no photo", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.splitlines()) == 1


def test_a_contact_sheet_and_a_film(
    bundle: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, sheet = tmp_path / "out", tmp_path / "sheet.jpg"
    command = ["colorize", str(bundle), str(photos), "--out", str(out)]
    for _ in range(2):  # also of photos that were there already, in place of the older sheet
        assert main([*command, "--film", "--contact-sheet", str(sheet)]) == 0
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("colorized")
        assert Image.open(sheet).height > 300
    assert len(list(out.iterdir())) == 6


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--contact-sheet sheet.png", "a contact sheet must end in .jpg"),
        ("--contact-sheet in/0.jpg", "in/0.jpg is neither"),
        ("--contact-sheet in/sheet.jpg", "must not lie among the photos"),
        ("--contact-sheet sheet.jpg --compare", "leave out --compare"),
        ("--contact-sheet sheet.jpg --out one.jpg", "need a folder as --out, but got one.jpg"),
        ("--film --out one.jpg", "need a folder as --out, but got one.jpg"),
        ("--film in", "a film must be one folder of frames, but got in, in"),
    ],
)
def test_wrong_flags_are_one_line_and_nothing_changes(
    bundle: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    flags: str,
    message: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    before = {path: path.read_bytes() for path in photos.iterdir()}
    more = flags.split()
    extra = [more.pop()] if more[-1] == "in" else []
    assert main(["colorize", str(bundle), "in", *extra, "--out", "out", *more]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("chromatune: ")
    assert message in line
    assert {path: path.read_bytes() for path in photos.iterdir()} == before
    assert [path.name for path in photos.parent.iterdir()] == ["in"]


def test_a_bundle_of_the_hub_by_its_name(bundle: Path, photos: Path, tmp_path: Path) -> None:
    hub = LocalHub()
    hub.files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    command = [sys.executable, "-m", "search.cli", "colorize"]
    place = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}

    def colorize(name: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [*command, name, str(photos), "--out", str(tmp_path / "out"), "--force"],
            env=os.environ | place,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr.splitlines()

    try:
        code, lines = colorize("me/sunny")
        assert (code, lines[0]) == (0, "fetching me/sunny from the Hugging Face Hub")
        assert lines[-1].startswith("colorized 6 of 6 into")
    finally:
        hub.close()
    code, (line,) = colorize("me/sunny")
    assert (code, line[:21]) == (0, "colorized 6 of 6 into")
    code, lines = colorize("me/rainy")
    assert code == 2
    assert "no folder me/rainy, and the Hub cannot be reached" in lines[-1]
