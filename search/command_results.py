"""`chromatune leaderboard` and `report`: what a stored run has found. Neither Ray nor Torch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from data_pipeline.errors import InputError

TABLE_WIDTH = 100
FORMATS = ("table", "csv", "json", "parquet", "markdown")


def add_parsers(commands: Any) -> None:
    """Add the commands to the sub-parsers of `commands`."""
    board = commands.add_parser(
        "leaderboard",
        help="rank the trials of a run",
        description="Rank the trials of a run: stagnant pairs first, then by a score of drift, "
        "distance from the target ratio and validation objective (docs/leaderboard.md).",
    )
    board.set_defaults(run=_leaderboard)
    board.add_argument("folder", type=Path, metavar="RUN", help="a run's folder")
    board.add_argument("--sort", metavar="COLUMN", help="order by this column, best first")
    board.add_argument("--top", type=int, metavar="N", help="the first N trials only")
    board.add_argument(
        "--target-ratio",
        type=float,
        metavar="R",
        help="wanted discriminator/generator parameter ratio (0.8)",
    )
    board.add_argument("--format", choices=FORMATS, default="table")
    board.add_argument("--out", type=Path, metavar="FILE", help="write to a file")

    report = commands.add_parser("report", help="write a run's HTML report")
    report.set_defaults(run=_report)
    report.add_argument("folder", type=Path, metavar="RUN", help="a run's folder")
    report.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE")


def _leaderboard(arguments: argparse.Namespace) -> int:
    from analysis.leaderboard import build_leaderboard
    from analysis.leaderboard_formats import write_leaderboard
    from analysis.run import open_run

    run = open_run(arguments.folder)
    options: dict[str, Any] = {"sort": arguments.sort, "top": arguments.top}
    if arguments.target_ratio is not None:
        options["target_ratio"] = arguments.target_ratio
    if arguments.top is not None and arguments.top < 1:
        raise InputError(f"--top must be at least 1, but got {arguments.top}")
    board = build_leaderboard(run, **options)
    if arguments.format == "table":
        if arguments.out:
            raise InputError(
                "--out needs a file format, but got the table; add --format csv, json, parquet "
                "or markdown"
            )
        from rich.console import Console

        from analysis.leaderboard_table import leaderboard_table

        # Into a pipe or a file there is no width to fit but our own promise.
        console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
        console.print(leaderboard_table(board, objective=run.objective))
        return 0
    content = write_leaderboard(board, arguments.format)
    if arguments.out:
        _write(arguments.out, content)
        return 0
    if arguments.format == "parquet" and sys.stdout.isatty():
        raise InputError("parquet is binary and standard output is a terminal; use --out FILE")
    sys.stdout.buffer.write(content)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from analysis.report import write_report
    from analysis.run import open_run

    run = open_run(arguments.folder)
    write_report(run, arguments.out)
    print(f"wrote {arguments.out}", file=sys.stderr)
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"--out must be writable, but {path}: {error.strerror}") from error
