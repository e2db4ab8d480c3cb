"""How long the report of a large run takes to write, how large it is and how soon it shows.

    python -m benchmarks.report [--trials 1000] [--windows 300] [--json FILE]

The plain reference, in the same process and on the same run, is what Plotly offers by itself: one
figure a trial with its whole loss curves, appended to one page.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import plotly.graph_objects as go

from analysis.report.render import write_report
from analysis.stored_run.run import Run, open_run
from tests.analysis.fabricate import Plan, fabricate_run


def plain_report(run: Run, out: Path) -> None:
    """Every trial's curves as a figure of its own."""
    parts = []
    for number, trial_id in enumerate(run.trials["trial_id"]):
        rows = run.curves(trial_id)
        figure = go.Figure()
        for name in ("adversarial", "reconstruction", "discriminator_real", "discriminator_fake"):
            for column in (name, f"{name}_ema"):
                x, y = [row["epoch"] for row in rows], [row[column] for row in rows]
                figure.add_scatter(x=x, y=y, name=column)
        parts.append(figure.to_html(full_html=False, include_plotlyjs=number == 0))
    out.write_text("\n".join(parts), encoding="utf-8")


def seconds_to_first_screen(report: Path) -> float | None:
    """From opening the page in headless Chromium to its leaderboard and pictures being there."""
    executable = shutil.which("chromium")
    if executable is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        started = time.perf_counter()
        page.goto(report.as_uri())
        page.wait_for_selector("#trial-picker option", state="attached")
        elapsed = time.perf_counter() - started
        browser.close()
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--windows", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        plan = Plan(n_trials=options.trials, n_windows=options.windows)
        run = open_run(fabricate_run(Path(temporary) / "run", plan))
        result: dict[str, float | None] = {"trials": options.trials, "windows": options.windows}
        for name, write in (("ours", write_report), ("plain", plain_report)):
            out = Path(temporary) / f"{name}.html"
            started, before = time.perf_counter(), time.process_time()
            write(run, out)
            result[f"{name}_seconds"] = time.perf_counter() - started
            result[f"{name}_cpu_seconds"] = time.process_time() - before
            result[f"{name}_mb"] = out.stat().st_size / 1e6
        result["first_screen_seconds"] = seconds_to_first_screen(Path(temporary) / "ours.html")
    print(f"{options.trials} trials of {options.windows} windows, {os.cpu_count()} cores,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}")
    for name, what in (("ours", "report"), ("plain", "one Plotly figure a trial")):
        print(
            f"{what:26s} {result[f'{name}_seconds']:6.1f} s wall "
            f"{result[f'{name}_cpu_seconds']:6.1f} s processor {result[f'{name}_mb']:7.1f} MB"
        )
    if result["first_screen_seconds"] is not None:
        print(f"first screen in Chromium   {result['first_screen_seconds']:6.1f} s")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
