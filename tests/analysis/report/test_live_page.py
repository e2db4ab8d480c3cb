"""The report of a run that grows: what it notices, what it survives, how seldom it is drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Thread

import pytest

from analysis.report.live_page import SHARE, LivePage
from analysis.report.live_server import serve_live
from analysis.report.live_state import LiveState, Slot
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run

RUNNING = LiveState(
    headline="running, 3/9 trials have ended",
    running=True,
    slots=(Slot("0007", "epoch 2/8  <b>", "about 5 s to its end", 0.25),),
    notes=("time budget: about 2 h 0 min left",),
)
ENDED = LiveState(headline="The search has ended: finished", running=False)


class Clock:
    """Time goes on by `tick` with each look at it."""

    now = 0.0
    tick = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = Plan(n_trials=3, n_windows=10, failed=0, pruned=0, pictures=False, status="running")
    return fabricate_run(tmp_path / "first", plan)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(folder: Path, clock: Clock) -> LivePage:
    return LivePage(folder, lambda: RUNNING, clock=clock)


def grow(folder: Path) -> None:
    """Another trial starts."""
    table = folder / "trials.jsonl"
    row = json.loads(table.read_text().splitlines()[0])
    table.write_text(table.read_text() + json.dumps({**row, "trial_id": "0099"}) + "\n")


def test_it_shows_the_slots_and_notices_what_is_new(
    folder: Path, page: LivePage, clock: Clock
) -> None:
    first = page.html()
    assert '<progress max="1" value="0.250"' in first
    assert "epoch 2/8  &lt;b&gt;" in first
    assert 'data-trial="0099"' not in first
    version = page.now().version
    assert f'data-version="{version}"' in first
    clock.now += 10
    assert page.now().version == version
    grow(folder)
    clock.now += 10
    assert page.now().version != version
    assert 'data-trial="0099"' in page.html()


def test_files_that_show_nothing_new_make_no_new_version(
    folder: Path, page: LivePage, clock: Clock
) -> None:
    version = page.now().version
    (folder / "trials/0000/progress.json").write_text("{}")
    (folder / "trials.jsonl").touch()
    clock.now += 10
    assert page.now().version == version


def test_drawing_takes_a_small_share_of_the_time_while_a_search_runs(
    folder: Path, clock: Clock
) -> None:
    state = RUNNING
    page = LivePage(folder, lambda: state, clock=clock)
    clock.tick = 1.0  # a drawing takes a second then, from one look at the clock to the next
    version = page.now().version
    clock.tick = 0.0
    ended = clock.now
    grow(folder)
    clock.now = ended + 0.9 * (1 / SHARE - 1)
    assert page.now().version == version
    clock.now = ended + 1.1 * (1 / SHARE - 1)
    assert page.now().version != version
    # Nobody is in the way of anybody when the search has ended.
    clock.tick = 1.0
    grow(folder)
    clock.now += 100
    version = page.now().version
    clock.tick = 0.0
    shutil.rmtree(folder / "trials/0001")
    state = ENDED
    clock.now += 1.1 / SHARE
    assert "has ended" in page.now().state_html


Damage = Callable[[Path], object]
DAMAGES: dict[str, Damage] = {
    "run.json is cut off": lambda run: (run / "run.json").write_text('{"format": 1, "na'),
    "run.json is not there": lambda run: (run / "run.json").unlink(),
    "config.json is cut off": lambda run: (run / "config.json").write_text('{"trials": '),
    "the folder is gone": lambda run: shutil.rmtree(run),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_that_is_half_written_keeps_the_last_report(
    damage: str, folder: Path, page: LivePage, clock: Clock, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    version = page.now().version
    DAMAGES[damage](folder)
    for _ in range(3):
        clock.now += 10
        now = page.now()
        assert now.version == version
        assert "What is below is older: RunFolderError" in now.state_html
    assert "Leaderboard" in page.html()
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    grow(folder)
    clock.now += 10
    assert page.now().version != version
    assert "older" not in page.now().state_html


def test_a_run_that_is_half_written_from_the_start_is_tried_again(
    folder: Path, page: LivePage, clock: Clock
) -> None:
    content = (folder / "config.json").read_text()
    (folder / "config.json").write_text("{")
    assert "cannot be drawn yet" in page.html()
    assert page.now().version == ""
    (folder / "config.json").write_text(content)
    clock.now += 10
    assert "Leaderboard" in page.html()


def test_rows_and_pictures_that_are_half_written_are_not_there_yet(
    folder: Path, page: LivePage
) -> None:
    for name in ("trials.jsonl", "trials/0002/curves.jsonl", "trials/0002/validation.jsonl"):
        with (folder / name).open("a") as file:
            file.write('{"trial_id": "0098", "sta')
    (folder / "trials/0000/samples.png").write_bytes(b"\x89PNG\r\n\x1a\n half")
    assert 'data-trial="0098"' not in page.html()
    assert "older" not in page.now().state_html


def test_a_run_without_a_trial_has_a_page(tmp_path: Path) -> None:
    folder = fabricate_run(tmp_path / "new", Plan(n_trials=0, status="running"))
    page = LivePage(folder, lambda: RUNNING)
    assert "No trial has started" in page.html()
    assert page.now().version


@pytest.fixture
def ask(page: LivePage) -> Callable[..., HTTPResponse]:
    """Ask a server of the page, which goes with the tests."""
    address: list[str] = []
    ready = Thread(target=lambda: serve_live(page, port=0, on_ready=address.append), daemon=True)
    ready.start()
    while not address:
        assert ready.is_alive()

    def ask(path: str, host: str = "127.0.0.1", method: str = "GET") -> HTTPResponse:
        connection = HTTPConnection(address[0].split("/")[2])
        connection.request(method, path, headers={"Host": host})
        return connection.getresponse()

    return ask


def test_the_server_answers_to_this_machine_and_only_reads(
    ask: Callable[..., HTTPResponse],
) -> None:
    state = json.loads(ask("/state").read())
    assert state["version"]
    assert "time budget" in state["html"]
    page = ask("/page")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert state["version"] in page.read().decode()
    assert b"Plotly" in ask("/plotly.js").read()
    assert ask("/state", host="evil.example").status == 403
    assert ask("/state", host="localhost:80").status == 200
    assert ask("/trials.jsonl").status == 404
    assert ask("/state", method="POST").status == 501


@pytest.mark.parametrize("port", [-1, 70000])
def test_no_port_is_one_line(page: LivePage, port: int) -> None:
    with pytest.raises(RunFolderError, match="--port, 0 for any"):
        serve_live(page, port=port)
