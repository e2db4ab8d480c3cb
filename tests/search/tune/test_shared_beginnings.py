"""Two slots share beginnings, also through a kill of the driver and a resume."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import yaml

from search.run.directory import read_rows
from tests.search.driving import PATIENCE_SEC, TRIALS, check, ended, finish, start, wait_for_rows

CONFIG = {
    "images": "synthetic:60",
    "image_size": 32,
    "batch_size": 8,
    "max_epochs": 3,
    "trials": TRIALS,
    "concurrency": 2,
    "known_points": False,
    "early_stopping": {"enabled": False},
    "space": {
        "generator_complexity": 8,
        "generator_lr": 1.0e-3,
        "pretrain_epochs": 2,
        "precision": "float32",
    },
}


def test_a_killed_search_goes_on_from_its_beginnings(tmp_path: Path) -> None:
    config, run = tmp_path / "config.yaml", tmp_path / "runs" / "killed"
    config.write_text(yaml.safe_dump(CONFIG))
    process = start(["search", "--config", str(config), "--name", "killed"], tmp_path, tmp_path)
    wait_for_rows(run, 2, process)  # the first trial has trained the beginning
    process.kill()
    process.communicate(timeout=PATIENCE_SEC)
    before = ended(run)
    finish(tmp_path, tmp_path)
    check(run, before)
    trained: defaultdict[int, int] = defaultdict(int)
    for trial_id, row in ended(run).items():
        shared = [
            validation.get("shared_epochs", 0)
            for validation in read_rows(run / "trials" / trial_id / "validation.jsonl")
        ]
        assert shared[-1] == row["shared_epochs"]
        trained[int(str(row["pretrain_seed"]))] += 2 - shared[-1]
    assert list(trained.values()) == [2]
    (beginning,) = (run / "beginnings").iterdir()
    assert sorted(path.name for path in beginning.iterdir()) == ["epoch-001.pt", "epoch-002.pt"]
