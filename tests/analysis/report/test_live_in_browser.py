"""The live page in headless Chromium: it follows the run and leaves its reader in peace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from analysis.report.live_page import LivePage
from analysis.report.live_server import serve_live
from analysis.report.live_state import LiveState, Slot
from tests.analysis.fabricate import Plan, fabricate_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

OVERLAY = "[data-figure=overlay]"
TOP = f"document.querySelector('{OVERLAY}').getBoundingClientRect().top"
DRAWN = f"() => document.querySelector('{OVERLAY}').dataset.drawn === 'yes'"


class GrowingRun:
    """A run of 12 trials, of which the last 4 have not started yet."""

    def __init__(self, folder: Path) -> None:
        # With seed 3 Plotly finds no margins for the Pareto figure at this width, and says so.
        plan = Plan(n_trials=12, n_windows=20, failed=0, running=0, status="running", seed=2)
        self.folder = fabricate_run(folder, plan)
        self._rows = (folder / "trials.jsonl").read_text().splitlines()
        (folder / "trials.jsonl").write_text("\n".join(self._rows[:16]) + "\n")
        slot = Slot("0009", "epoch 2/8", "about 5 s to its end", 0.25)
        self.state = LiveState(headline="8/12 trials have ended", running=True, slots=(slot,))

    def end(self) -> None:
        """All trials have ended, and the search with them."""
        info = json.loads((self.folder / "run.json").read_text())
        (self.folder / "run.json").write_text(json.dumps({**info, "status": "finished"}))
        (self.folder / "trials.jsonl").write_text("\n".join(self._rows) + "\n")
        self.state = LiveState(headline="The search has ended", running=False)


@pytest.fixture
def growing(tmp_path: Path) -> GrowingRun:
    return GrowingRun(tmp_path / "first")


@pytest.fixture
def opened(browser: Browser, growing: GrowingRun) -> Iterator[Page]:
    address: list[str] = []
    page = LivePage(growing.folder, lambda: growing.state)
    server = Thread(target=lambda: serve_live(page, port=0, on_ready=address.append), daemon=True)
    server.start()
    while not address:
        assert server.is_alive()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    opened = context.new_page()
    words: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: words.append(message.text))
    opened.on("pageerror", lambda error: words.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(address[0])
    yield opened
    context.close()
    assert words == []
    assert not [url for url in requests if not url.startswith((address[0], "data:"))]


def test_the_page_follows_the_search_to_its_end_and_its_reader_stays(
    opened: Page, growing: GrowingRun
) -> None:
    page = opened
    assert "0009" in page.inner_text("#live")
    assert page.locator(".board tbody tr").count() == 8
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    # A reader opens, sorts, chooses, hides and scrolls.
    page.click(".legend summary")
    page.click("#settings summary >> nth=1")
    page.click(".board th:nth-child(3) button")
    page.click(".board [data-trial] >> nth=2")
    page.wait_for_function("() => document.getElementById('trial-losses').dataset.drawn === 'yes'")
    page.eval_on_selector(".table-scroll", "table => { table.scrollLeft = 120; }")
    chosen = page.input_value("#trial-picker")
    page.eval_on_selector(OVERLAY, "e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.wait_for_function(DRAWN)
    page.eval_on_selector(OVERLAY, "e => { e.theirs = true; }")
    before = page.evaluate(TOP)
    traces = page.eval_on_selector(OVERLAY, "e => JSON.stringify(e.data)")

    growing.end()
    page.wait_for_function("() => document.querySelectorAll('.board tbody tr').length === 12")
    assert page.inner_text("#live").endswith("The search has ended")
    assert "finished" in page.inner_text("header.top .facts")
    assert page.evaluate("document.querySelector('[data-figure=overlay]').theirs")
    page.wait_for_function(
        "before => JSON.stringify(document.querySelector('[data-figure=overlay]').data) !== before",
        arg=traces,
    )
    assert page.evaluate(TOP) == pytest.approx(before, abs=2)
    assert page.input_value("#trial-picker") == chosen
    assert page.locator("#trial-picker option").count() == 12
    assert page.locator("details.legend").get_attribute("open") is not None
    assert page.locator("#settings details").nth(1).get_attribute("open") is not None
    assert page.locator(".board th:nth-child(3)").get_attribute("aria-sort") == "ascending"
    keys = page.eval_on_selector_all(
        ".board tbody td:nth-child(3)", "cells => cells.map(c => Number(c.dataset.key))"
    )
    assert keys == sorted(keys)
    assert page.eval_on_selector(".table-scroll", "table => table.scrollLeft") == 120
    # What was swapped still works.
    page.click(".board th:nth-child(3) button")
    assert page.locator(".board th:nth-child(3)").get_attribute("aria-sort") == "descending"
    page.click(".looks .enlarge >> nth=0")
    assert page.is_visible("#enlarged img")
