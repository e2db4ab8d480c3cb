"""Progress of colouring: one live line with the time left in a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from models.colorize.paths import PhotoResult
from search.progress.photo_counter import PhotoCounter

MADE = PhotoResult(source=Path("a.jpg"), out=Path("b.jpg"))
EXISTED = PhotoResult(source=Path("a.jpg"), out=Path("b.jpg"), existed=True)


def shown(*, terminal: bool, n_existed: int = 0) -> str:
    """What is written while 100 photos are done, one each 2 seconds."""
    seconds = 0.0
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, soft_wrap=True)
    with PhotoCounter(console, clock=lambda: seconds) as progress:
        for n_done in range(1, 101):
            existed = n_done <= n_existed
            seconds += 0 if existed else 2
            progress.update(EXISTED if existed else MADE, n_done, 100)
            if terminal:
                progress._bar.refresh()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_log_gets_a_line_now_and_then() -> None:
    lines = shown(terminal=False).splitlines()
    assert len(lines) == 6  # 200 seconds
    assert lines[0] == "15 of 100 photos, about 3 min left"
    assert lines[-1] == "90 of 100 photos, about 20 s left"


def test_photos_that_were_there_do_not_shorten_the_time_left() -> None:
    lines = shown(terminal=False, n_existed=70).splitlines()
    assert lines == ["85 of 100 photos, about 30 s left", "100 of 100 photos"]


def test_a_terminal_gets_one_live_line_that_goes() -> None:
    written = shown(terminal=True)
    assert "50/100" in written
    assert "about 2 min left" in written
    assert "photos," not in written
    assert written.endswith("\x1b[2K")  # the line is erased
