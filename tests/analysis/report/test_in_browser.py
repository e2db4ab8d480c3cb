"""The report in headless Chromium: on a screen, on a phone and on paper; no request leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.report.render import write_report
from analysis.stored_run.run import Run, open_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

FIGURES = {
    "ratio-drift",
    "predictors",
    "trial-losses",
    "overlay",
    "validation",
    "timeline",
    "history",
    "pareto",
    "importance",
    "parallel",
    "slice",
    "contour",
}


WIDE = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}


@pytest.fixture(scope="module")
def report(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(open_run(run_folder), tmp_path_factory.mktemp("page") / "report.html")


class Opened:
    """A page, what it printed to the console and what it asked for."""

    def __init__(self, page: Page, report: Path) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(report.as_uri())

    def draw_everything(self) -> None:
        for element in self.page.query_selector_all(".plot"):
            element.scroll_into_view_if_needed()
            self.page.wait_for_function("e => e.dataset.drawn === 'yes'", arg=element)

    def column(self, index: int) -> list[str]:
        cells: list[str] = self.page.eval_on_selector_all(
            f".board tbody tr td:nth-child({index})", "cells => cells.map(c => c.textContent)"
        )
        return cells

    def trials(self) -> list[str]:
        """The leaderboard's trials from top to bottom."""
        ids: list[str] = self.page.eval_on_selector_all(
            ".board [data-trial]", "links => links.map(link => link.dataset.trial)"
        )
        return ids

    def sort_by(self, title: str) -> None:
        self.page.click(f".board th:nth-child({self.header(title)}) button")

    def header(self, title: str) -> int:
        titles: list[str] = self.page.eval_on_selector_all(
            ".board th", "cells => cells.map(c => c.textContent)"
        )
        return titles.index(title) + 1


@pytest.fixture
def opened(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    settings: dict[str, Any] = getattr(request, "param", {})
    context = browser.new_context(**settings)
    yield Opened(context.new_page(), report)
    context.close()


@pytest.mark.parametrize("opened", [WIDE, PHONE], indirect=True, ids=["wide light", "phone dark"])
def test_every_figure_draws_without_a_word_on_the_console(opened: Opened) -> None:
    opened.draw_everything()
    drawn = opened.page.eval_on_selector_all(
        ".plot",
        "plots => plots.filter(p => p.querySelector('.main-svg .trace, .main-svg .contourlayer'))"
        ".map(p => p.dataset.figure || p.id)",
    )
    assert set(drawn) == FIGURES
    assert opened.messages == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width <= opened.page.viewport_size["width"]  # type: ignore[index]
    broken = opened.page.eval_on_selector_all(
        "main img", "images => images.filter(i => !i.complete || i.naturalWidth === 0).length"
    )
    assert broken == 0


def test_sorting_works_both_ways_and_keeps_the_missing_last(opened: Opened) -> None:
    page = opened.page
    index = opened.header("ab_swd")
    shown = opened.column(index)
    for direction, sign in (("ascending", 1), ("descending", -1)):
        page.click(f".board th:nth-child({index}) button")
        header = page.query_selector(f".board th:nth-child({index})")
        assert header is not None
        assert header.get_attribute("aria-sort") == direction
        cells = opened.column(index)
        known = [float(cell) for cell in cells if cell != "–"]
        assert known == sorted(known, key=lambda value: sign * value)
        assert all(cell == "–" for cell in cells[len(known) :])
        assert sorted(cells) == sorted(shown)
    page.click(f".board th:nth-child({opened.header('trial')}) button")
    assert opened.column(2) == sorted(opened.column(2))


@pytest.mark.parametrize(
    ("title", "name"),
    [("ab_swd", "ab_swd"), ("grey_skill", "grey_skill"), ("colour gap", "colorfulness_gap")],
)
def test_the_first_click_puts_the_best_first_as_the_command_line_does(
    opened: Opened, run: Run, title: str, name: str
) -> None:
    opened.sort_by(title)
    board = build_leaderboard(run, sort=name)
    assert opened.trials() == board["trial_id"].tolist()
    opened.sort_by(title)
    assert opened.trials()[0] != board["trial_id"][0]


def test_every_heading_is_explained(opened: Opened) -> None:
    page = opened.page
    titles = page.eval_on_selector_all(".board th", "cells => cells.map(c => c.title)")
    assert all(len(title) > 5 for title in titles)
    page.click(".legend summary")
    assert page.locator(".legend dd:visible").all_inner_texts() == titles


@pytest.mark.parametrize("opened", [PHONE], indirect=True)
def test_on_a_phone_the_objective_is_beside_the_trial(opened: Opened) -> None:
    cell = opened.page.query_selector(f".board tbody td:nth-child({opened.header('ab_swd')})")
    assert cell is not None
    box = cell.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390


def test_no_button_uploads_a_figure(opened: Opened) -> None:
    opened.draw_everything()
    opened.page.hover("[data-figure=overlay]")
    titles = opened.page.eval_on_selector_all(
        ".modebar-btn", "buttons => buttons.map(b => b.dataset.title)"
    )
    assert any("Download" in title for title in titles)
    assert not [title for title in titles if "Share" in title or "Cloud" in title]


def test_the_winners_have_one_name_in_every_figure(opened: Opened, run: Run) -> None:
    opened.draw_everything()
    labels = winners(build_leaderboard(run), run.objective).labels
    for name in ("ratio-drift", "overlay", "validation", "history", "pareto", "timeline"):
        legend = opened.page.locator(f"[data-figure={name}] .legendtext").all_text_contents()
        assert set(labels.values()) <= set(legend), name
    assert opened.page.locator(".answer h2").all_inner_texts()[: len(labels)] == [
        label.replace(", ", " and ").upper() for label in labels.values()
    ]


def test_pictures_are_never_stretched_and_can_be_enlarged(opened: Opened) -> None:
    page = opened.page
    scales = page.eval_on_selector_all(
        ".triple img", "images => images.filter(i => i.width).map(i => i.width / i.naturalWidth)"
    )
    assert scales
    assert max(scales) <= 1
    page.click(".looks .enlarge >> nth=0")
    large = page.locator("#enlarged img")
    factor = large.evaluate("i => i.width / i.naturalWidth")
    assert factor == int(factor) >= 2
    assert "coloured" in large.get_attribute("alt")
    before = page.inner_text("#enlarged span")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#enlarged span") != before
    page.keyboard.press("Escape")
    assert not large.is_visible()


#: an A4 page without its margins, in CSS pixels
PAPER = {"viewport": {"width": 703, "height": 1032}}


@pytest.mark.parametrize("opened", [WIDE, PAPER], indirect=True, ids=["pdf", "layout"])
def test_a_printed_report_has_every_figure_and_every_column(opened: Opened) -> None:
    page = opened.page
    if page.viewport_size == PAPER["viewport"]:
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    else:
        assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
    drawn = page.eval_on_selector_all(
        ".plot", "plots => plots.filter(p => p.dataset.drawn).map(p => p.dataset.figure || p.id)"
    )
    assert set(drawn) == FIGURES
    if page.viewport_size == PAPER["viewport"]:
        ends = page.eval_on_selector_all(
            ".plot .main-svg, .board th, .board td",
            "parts => parts.map(part => part.getBoundingClientRect().right)",
        )
        assert max(ends) <= 703
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.messages == []


def test_the_table_unfolds(opened: Opened) -> None:
    page = opened.page
    assert page.locator(".board tbody tr:visible").count() == 25
    page.click(".more")
    assert page.locator(".board tbody tr:visible").count() == 48
    assert not page.is_visible(".more")


def test_choosing_a_trial_shows_its_losses(opened: Opened) -> None:
    page = opened.page
    link = page.locator(".board [data-trial]").nth(4)
    trial = link.get_attribute("data-trial")
    link.click()
    page.wait_for_function("document.getElementById('trial-losses').dataset.drawn === 'yes'")
    assert page.input_value("#trial-picker") == trial
    before = page.inner_text("#trial-words")
    page.click("#next-trial")
    assert page.input_value("#trial-picker") != trial
    assert page.inner_text("#trial-words") != before


def test_figures_follow_a_change_of_theme(opened: Opened) -> None:
    page = opened.page
    opened.draw_everything()
    colour = "() => getComputedStyle(document.querySelector('#trial-losses .xtitle')).fill"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => ({colour})() !== light", arg=light)
    assert opened.messages == []
