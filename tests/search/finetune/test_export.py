"""What an exported bundle says of its training, and which trials are not exported."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import chromatune
from data_pipeline.errors import InputError
from models.bundle.store import load_bundle
from models.training.settings import TrainingSettings
from search.cli.main import main
from search.finetune.plan import plan_training
from tests.search.trained import error_of, settings_of

pytestmark = pytest.mark.usefixtures("run")


def test_the_card_has_all_that_a_training_is_made_of(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    assert main(["export", str(run), "--out", str(out), "--onnx-rgb"]) == 0
    assert (out / "generator_rgb.onnx").is_file()
    trained = settings_of(run / "trials/0000")
    assert TrainingSettings.from_dict(load_bundle(out).config["hyperparameters"]) == trained
    card = (out / "README.md").read_text()
    section = card.split("## Hyperparameters")[1].split("##")[0]
    names = {line.split(" | ")[0].strip("| ") for line in section.splitlines() if " | " in line}
    assert {field.name for field in fields(TrainingSettings)} <= names
    assert "| lr_decay_every_epochs | 10 |" in section
    assert "| precision | float32 |" in section


def test_where_photos_lay_on_this_machine_is_not_published(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    private = tmp_path / "private"
    shutil.copytree(run, private)
    data = json.loads((private / "data.json").read_text())
    (private / "data.json").write_text(json.dumps({**data, "source": "/home/anna/Photos 2019"}))

    def export(name: str, *options: str) -> tuple[str, str]:
        out = tmp_path / name
        assert main(["export", str(private), "--out", str(out), *options]) == 0
        card, config = ((out / file).read_text() for file in ("README.md", "config.json"))
        assert "home" not in card + config
        return card, json.loads(config)["data"]["source"]

    card, source = export("unnamed")
    assert source == "a private folder"
    assert "| source | a private folder |" in card
    assert "name: a private folder" in card
    card, source = export("named", "--data-name", "Anna's valley: 1950-60")
    assert source == "Anna's valley: 1950-60"
    front = yaml.safe_load(card.split("---")[1])
    dataset = front["model-index"][0]["results"][0]["dataset"]
    assert dataset["name"] == "Anna's valley: 1950-60"
    assert main(["export", str(private), "--out", str(tmp_path / "x"), "--data-name", " "]) == 2
    assert "--data-name" in error_of(capfd)
    assert not (tmp_path / "x").exists()
    assert main(["export", str(run), "--out", str(tmp_path / "public")]) == 0
    assert load_bundle(tmp_path / "public").config["data"]["source"] == "synthetic:40"


@pytest.fixture
def two_winners(run: Path, tmp_path: Path) -> Path:
    """A run in which trial 0003 has the better colours and trial 0000 the better balance."""
    copy = tmp_path / "two"
    shutil.copytree(run, copy)
    shutil.copytree(copy / "trials/0000", copy / "trials/0003")
    rows = [json.loads(line) for line in (copy / "trials.jsonl").read_text().splitlines()]
    last = next(row for row in reversed(rows) if row["trial_id"] == "0000")
    balance = {"feasible": True, "discriminator_verdict": "judging"}
    rows += [
        {**last, **balance, "adversarial_trend": "stagnant"},
        {
            **last,
            **balance,
            "trial_id": "0003",
            "adversarial_trend": "rising",
            "penalized_objective": last["penalized_objective"] - 1.0,
            "set_swd": last["set_swd"] - 1.0,
        },
    ]
    (copy / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return copy


@pytest.mark.parametrize(
    ("flags", "trial_id", "words"),
    [
        ((), "0003", "trial 0003 (best colour) to "),
        (("--by", "colour"), "0003", "trial 0003 (best colour) to "),
        (("--by", "balance"), "0000", "trial 0000 (best balance) to "),
        (("--by", "balance", "--trial", "3"), "0003", "trial 0003 to "),
    ],
)
def test_the_best_colours_are_exported_unless_asked_otherwise(
    two_winners: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    trial_id: str,
    words: str,
) -> None:
    out = tmp_path / "bundle"
    assert main(["export", str(two_winners), "--out", str(out), *flags]) == 0
    assert words in error_of(capfd)
    assert load_bundle(out).config["trial_id"] == trial_id


def test_from_python_the_winners_are_those_of_the_run(two_winners: Path, tmp_path: Path) -> None:
    found = chromatune.open_run(two_winners)
    assert (found.best, found.balanced) == ("0003", "0000")
    assert chromatune.export(two_winners, tmp_path / "a").trial_id == found.best
    assert chromatune.export(two_winners, tmp_path / "b", by="balance").trial_id == found.balanced
    with pytest.raises(InputError, match="by must be one of colour, balance, but got 'color'"):
        chromatune.export(two_winners, tmp_path / "c", by="color")  # type: ignore[arg-type]
    assert not (tmp_path / "c").exists()
    # Training on chooses alike.
    assert plan_training(two_winners).origin.trial_id == found.best
    assert plan_training(two_winners, by="balance").origin.trial_id == found.balanced
    assert plan_training(two_winners, by="balance", trial="3").origin.trial_id == "0003"


def test_a_failed_trial_is_not_exported(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "--trial", "1", "--out", str(tmp_path / "bundle")]) == 2
    assert "trial 0001 is failed: out of memory" in error_of(capfd)
    assert list(tmp_path.iterdir()) == []


def test_a_running_trial_is_not_exported_though_it_has_a_best_epoch(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    growing = tmp_path / "growing"
    shutil.copytree(run, growing)
    table = growing / "trials.jsonl"
    started = next(
        row
        for row in map(json.loads, table.read_text().splitlines())
        if (row["trial_id"], row["state"]) == ("0000", "running")
    )
    table.write_text(json.dumps(started) + "\n")
    assert (growing / "trials/0000/best.pt").is_file()
    out = tmp_path / "bundle"
    assert main(["export", str(growing), "--trial", "0", "--out", str(out)]) == 2
    assert "trial 0000 is running: it has not ended" in error_of(capfd)
    assert main(["export", str(growing), "--out", str(out)]) == 2
    assert "needs a trial that has ended" in error_of(capfd)
    assert not out.exists()


def test_colours_that_fail_the_guards_are_said_to(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    strict = tmp_path / "strict"
    shutil.copytree(run, strict)
    config = json.loads((strict / "config.json").read_text())
    config["guards"] = ["psnr > 90"]
    (strict / "config.json").write_text(json.dumps(config))
    out = tmp_path / "bundle"
    assert main(["export", str(strict), "--out", str(out)]) == 0
    (line,) = error_of(capfd).splitlines()
    assert "its colours fail the guards: psnr is" in line
    assert "must be > 90; try more max_epochs" in line
    assert "must be > 90; try more max_epochs" in (out / "README.md").read_text()
    # Where all guards hold nothing is said.
    config["guards"] = ["psnr > 1"]
    (strict / "config.json").write_text(json.dumps(config))
    assert main(["export", str(strict), "--out", str(out), "--force"]) == 0
    assert "guards" not in error_of(capfd)
    assert "fail the guards" not in (out / "README.md").read_text()
