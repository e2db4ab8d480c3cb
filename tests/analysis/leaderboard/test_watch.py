"""The leaderboard of a search in progress."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from analysis.leaderboard.watch import watch_view
from tests.analysis.fabricate import Plan, fabricate_run


def drawn(folder: Path, top: int = 20) -> tuple[str, bool]:
    view, going_on = watch_view(folder, top=top)
    console = Console(file=io.StringIO(), width=100)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), going_on


def test_the_view_follows_the_search(tmp_path: Path) -> None:
    plan = Plan(
        n_trials=8, running=2, failed=0, pruned=0, pictures=False, n_windows=20, status="running"
    )
    folder = fabricate_run(tmp_path / "first", plan)
    text, going_on = drawn(folder, top=4)
    assert going_on
    assert "first  running  6 complete, 2 running" in text
    assert "… and 2 more" in text
    assert "0006  epoch 4.0 of 8, best ab_swd 0." in text

    row = {"trial_id": "0006", "state": "failed", "reason": "[red]lost[/red]"}
    with (folder / "trials.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {"status": "finished"}))
    text, going_on = drawn(folder)
    assert not going_on
    assert "6 complete, 1 failed, 1 running" in text
    assert "[red]lost[/red]" in text


def test_a_run_without_trials(tmp_path: Path) -> None:
    text, _ = drawn(fabricate_run(tmp_path / "none", Plan(n_trials=0)))
    assert "no trial yet" in text
