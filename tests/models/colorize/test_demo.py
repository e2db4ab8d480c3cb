"""The demo page, used as a person would: upload a photo, look at both sides, move the strength."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_pipeline.decode.photo import PhotoError
from data_pipeline.errors import InputError
from models.bundle.store import Bundle
from models.colorize.demo import before_and_after, build_page, serve_demo
from models.networks.generator import Generator


class Reddish(Generator):
    """A stand-in network that makes everything a little red."""

    def __init__(self) -> None:
        super().__init__(1)
        self.eval()

    def forward(self, L_N1HW: torch.Tensor) -> torch.Tensor:
        n, _, h, w = L_N1HW.shape
        return torch.tensor([20.0, 10.0])[None, :, None, None].expand(n, 2, h, w) / 127


BUNDLE = Bundle(generator=Reddish(), config={"image_size": 32})


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.tile(np.linspace(60, 200, 90), (60, 1)).astype(np.uint8)).save(path)
    return path


def test_before_is_grey_and_after_is_coloured(photo: Path) -> None:
    before, after = before_and_after(BUNDLE, photo, 1.0)
    assert before.size == after.size == (90, 60)
    assert np.ptp(np.asarray(before), axis=2).max() <= 1
    assert np.ptp(np.asarray(after), axis=2).min() > 20


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_text("no photo")
    with pytest.raises(PhotoError, match="not a photo"):
        before_and_after(BUNDLE, tmp_path / "x.jpg", 1.0)


def test_without_gradio_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match="pip install"):
        build_page(BUNDLE)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    gradio = pytest.importorskip("gradio")
    yield serve_demo(BUNDLE, wait=False)
    gradio.close_all()


def test_the_address_is_told_before_the_page_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gradio = pytest.importorskip("gradio")
    told: list[str] = []
    monkeypatch.setattr(
        gradio.Blocks, "block_thread", lambda page: told.append(capfd.readouterr().err)
    )
    address = serve_demo(BUNDLE)
    assert address in told[0]
    gradio.close_all()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        yield page
        browser.close()


COLOURS = """image => {
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const p = context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    return [canvas.width, canvas.height, Math.max(p[0], p[1], p[2]) - Math.min(p[0], p[1], p[2])];
}"""


@pytest.mark.browser
def test_upload_shows_before_and_after(address: str, browser_page: Any, photo: Path) -> None:
    assert address.startswith("http://127.0.0.1:")
    page = browser_page
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(address)
    page.set_input_files("input[type=file]", str(photo))
    page.wait_for_function(
        "[...document.querySelectorAll('img')].filter("
        "i => i.src.includes('/file=') && i.naturalWidth == 90).length >= 3",
        timeout=20_000,
    )
    images = [
        image.evaluate(COLOURS)
        for image in page.query_selector_all("img")
        if "/file=" in (image.get_attribute("src") or "")
    ]
    spreads = sorted(spread for width, height, spread in images if (width, height) == (90, 60))
    assert spreads[0] <= 4
    assert spreads[-1] > 20
    with page.expect_download() as download:
        page.locator("a[download]").last.click()
    assert download.value.suggested_filename == "photo.jpeg"
    number = page.locator("input[type=number]")
    number.fill("0")
    number.press("Enter")
    page.wait_for_function(
        f"[...document.querySelectorAll('img')].filter(i => i.src.includes('/file=') "
        f"&& i.naturalWidth == 90).filter(i => ({COLOURS})(i)[2] <= 4).length >= 3",
        timeout=20_000,
    )
    elsewhere = [url for url in fetched if not url.startswith((address, "data:", "blob:"))]
    assert elsewhere == []
