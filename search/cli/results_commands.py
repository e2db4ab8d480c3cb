"""`chromatune leaderboard`, `compare`, `report` and `dashboard`: what stored runs have found.

Neither Ray nor Torch is loaded.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_pipeline.errors import InputError

TABLE_WIDTH = 100
FORMATS = ("table", "csv", "json", "parquet", "markdown")
WATCH_SEC = 2.0
LIVE_PORT = 8090

RUN_HELP = "a run's folder, or where it was copied to: s3://BUCKET/runs/NAME"


def run_location(text: str) -> Path | str:
    """A run's folder as a path, or as the URI that it is."""
    return text if "://" in text else Path(text)


def add_trial_flags(parser: argparse.ArgumentParser) -> None:
    """Add what names one trial of a run: `--by`, None where it was not given, and `--trial`."""
    parser.add_argument(
        "--by",
        choices=("colour", "balance"),
        help="which winner: the trial with the best colours (default), or with the best balance, "
        "rank 1 of the leaderboard",
    )
    parser.add_argument("--trial", metavar="ID", help="this trial instead of a winner")


def add_parsers(commands: Any) -> None:
    """Add the commands to the sub-parsers of `commands`."""
    board = commands.add_parser(
        "leaderboard",
        help="rank the trials of a run",
        description="Rank the trials of a run: stagnant pairs first, then by a score of drift, "
        "distance from the target ratio and validation objective (docs/leaderboard.md).",
    )
    board.set_defaults(run=_leaderboard)
    board.add_argument("folder", type=run_location, metavar="RUN", help=RUN_HELP)
    board.add_argument("--sort", metavar="COLUMN", help="order by this column, best first")
    board.add_argument("--top", type=int, metavar="N", help="the first N trials only")
    board.add_argument("--format", choices=FORMATS, default="table")
    board.add_argument("--out", type=Path, metavar="FILE", help="write to a file")
    board.add_argument("--watch", action="store_true", help="draw it again while the search runs")

    compare = commands.add_parser("compare", help="set runs side by side")
    compare.set_defaults(run=_compare)
    compare.add_argument("folders", type=run_location, nargs="+", metavar="RUN", help=RUN_HELP)

    report = commands.add_parser("report", help="write a run's HTML report, or show it live")
    report.set_defaults(run=_report)
    report.add_argument("folder", type=run_location, metavar="RUN", help=RUN_HELP)
    report.add_argument("--out", type=Path, metavar="FILE", help="default: report.html")
    report.add_argument(
        "--watch", action="store_true", help="a page of this machine that follows the search"
    )
    report.add_argument(
        "--port", type=int, metavar="P", help=f"of --watch, 0 for any free one ({LIVE_PORT})"
    )

    dashboard = commands.add_parser(
        "dashboard", help="optuna-dashboard on a run's study, for this machine only"
    )
    dashboard.set_defaults(run=_dashboard)
    dashboard.add_argument("folder", type=run_location, metavar="RUN", help=RUN_HELP)
    dashboard.add_argument("--port", type=int, default=8080, metavar="P")

    for parser in (board, compare, report):
        parser.add_argument(
            "--target-ratio",
            type=float,
            metavar="R",
            help="wanted discriminator/generator parameter ratio (0.8)",
        )
        parser.add_argument(
            "--weights",
            type=_weights,
            metavar="drift=1,ratio=0.5,objective=1",
            help="weights of the score's parts; what is not named keeps its default",
        )


def _weights(text: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must read like drift=1,ratio=0.5,objective=1: {text!r}"
        ) from None


def _ranking(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the ranking that were given."""
    from analysis.leaderboard.ranking import Weights

    options: dict[str, Any] = {}
    if arguments.target_ratio is not None:
        options["target_ratio"] = arguments.target_ratio
    if arguments.weights is not None:
        if unknown := sorted(set(arguments.weights) - {"drift", "ratio", "objective"}):
            raise InputError(
                f"--weights must name drift, ratio or objective, but got {', '.join(unknown)}"
            )
        options["weights"] = Weights(**arguments.weights)
    return options


def _leaderboard(arguments: argparse.Namespace) -> int:
    from analysis.leaderboard.export_formats import write_leaderboard
    from analysis.leaderboard.ranked_trials import build_leaderboard
    from analysis.stored_run.run import open_run

    if arguments.top is not None and arguments.top < 1:
        raise InputError(f"--top must be at least 1, but got {arguments.top}")
    options = {**_ranking(arguments), "sort": arguments.sort}
    if arguments.watch:
        return _watch(arguments, options)
    run = open_run(arguments.folder)
    whole = build_leaderboard(run, **options)
    board = whole if arguments.top is None else whole.head(arguments.top)
    if arguments.format == "table":
        if arguments.out:
            raise InputError(
                "--out needs a file format, but got the table; add --format csv, json, parquet "
                "or markdown"
            )
        from analysis.leaderboard.on_test_photos import describe_on_test_photos
        from analysis.leaderboard.terminal_table import leaderboard_text, winners_text
        from analysis.leaderboard.winners import winners

        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        sys.stdout.write(leaderboard_text(board, objective=run.objective, colour=colour))
        if len(whole):
            chosen = winners(whole, run.objective)
            on_test_photos = describe_on_test_photos(run, whole, chosen)
            sys.stdout.write("\n" + winners_text(chosen, on_test_photos))
        return 0
    content = write_leaderboard(board, arguments.format)
    if arguments.out:
        _write(arguments.out, content)
        return 0
    if arguments.format == "parquet" and sys.stdout.isatty():
        raise InputError("parquet is binary and standard output is a terminal; use --out FILE")
    sys.stdout.buffer.write(content)
    return 0


def _watch(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    from rich.live import Live

    from analysis.leaderboard.watch import watch_view

    top = arguments.top or 20
    view, running = watch_view(arguments.folder, top=top, **options)
    with Live(view, console=_console(), auto_refresh=False) as live:
        while running:
            time.sleep(WATCH_SEC)
            view, running = watch_view(arguments.folder, top=top, **options)
            live.update(view, refresh=True)
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from analysis.leaderboard.compare import compare_runs, comparison_text
    from analysis.stored_run.run import open_run

    runs = [open_run(folder) for folder in arguments.folders]
    sys.stdout.write(comparison_text(compare_runs(runs, **_ranking(arguments))))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    if arguments.watch:
        return _live_report(arguments)
    if arguments.port is not None:
        raise InputError(f"--port is of --watch, but got --port {arguments.port}; add --watch")
    from analysis.report.render import write_report
    from analysis.stored_run.run import open_run

    run = open_run(arguments.folder)
    out = arguments.out or Path("report.html")
    try:
        write_report(run, out, **_ranking(arguments))
    except OSError as error:
        raise InputError(f"--out must be writable, but {out}: {error.strerror}") from error
    print(f"wrote {out}", file=sys.stderr)
    return 0


def _live_report(arguments: argparse.Namespace) -> int:
    if arguments.out is not None:
        raise InputError(
            f"--watch shows the report and writes none, but got --out {arguments.out}; leave one "
            "of them out"
        )
    folder = arguments.folder
    if isinstance(folder, str):
        raise InputError(f"--watch needs a run on this machine, but got {folder}; copy it")
    from analysis.leaderboard.ranked_trials import build_leaderboard
    from analysis.report.live_page import LivePage
    from analysis.report.live_server import serve_live
    from analysis.stored_run.run import open_run
    from search.steering.run_status import run_status

    ranking = _ranking(arguments)
    build_leaderboard(open_run(folder), **ranking)  # refuses what cannot be shown
    page = LivePage(
        folder, lambda: run_status(folder, now=datetime.now(UTC)).to_live_state(), **ranking
    )
    port = LIVE_PORT if arguments.port is None else arguments.port
    serve_live(page, port=port, on_ready=_say_address)
    return 0


def _dashboard(arguments: argparse.Namespace) -> int:
    from analysis.optuna_view.dashboard import serve
    from analysis.stored_run.run import open_run

    serve(
        open_run(arguments.folder),
        port=arguments.port,
        on_ready=_say_address,
    )
    return 0


def _say_address(url: str) -> None:
    print(f"{url} (Ctrl-C ends it)", file=sys.stderr)


def _console() -> Any:
    from rich.console import Console

    # Into a pipe or a file there is no width to fit but our own promise.
    return Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"--out must be writable, but {path}: {error.strerror}") from error
