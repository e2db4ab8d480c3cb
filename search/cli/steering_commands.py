"""`chromatune status`, `stop` and `enqueue`: see and steer a search from another terminal."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_pipeline.errors import InputError


def add_parsers(commands: Any) -> None:
    """Add the commands to the sub-parsers of `commands`."""
    status = commands.add_parser("status", help="how a search stands: trials, winners, time left")
    status.set_defaults(run=_status)
    stop = commands.add_parser(
        "stop",
        help="end a running search, or one of its trials",
        description="End a running search as its time budget would: open trials end as pruned, "
        "finalists still train (a second stop ends them, too), and --resume goes on. With TRIAL: "
        "end that trial as pruned, after its present epoch.",
    )
    stop.set_defaults(run=_stop)
    enqueue = commands.add_parser(
        "enqueue",
        help="let a search try a configuration of your own next",
        description="The next trial trains these values; what is not named is drawn. It is one of "
        "the search's trials, or one more if none is left; a search that has ended takes it when "
        "it is resumed.",
    )
    enqueue.set_defaults(run=_enqueue)
    for parser in (status, stop, enqueue):
        parser.add_argument("folder", type=Path, metavar="RUN", help="a run's folder")
    stop.add_argument("trial", nargs="?", metavar="TRIAL", help="a trial's id, such as 0007")
    enqueue.add_argument("values", nargs="+", metavar="NAME=VALUE")


def _status(arguments: argparse.Namespace) -> int:
    from search.steering.run_status import run_status

    sys.stdout.write(run_status(arguments.folder, now=datetime.now(UTC)).to_text())
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    from search.steering.verbs import stop_search, stop_trial

    if arguments.trial is None:
        stop_search(arguments.folder)
        print(f"asked the search in {arguments.folder} to end", file=sys.stderr)
    else:
        trial_id = stop_trial(arguments.folder, arguments.trial)
        print(f"asked trial {trial_id} to end after its present epoch", file=sys.stderr)
    return 0


def _enqueue(arguments: argparse.Namespace) -> int:
    from search.run.directory import is_being_written, resume_command
    from search.steering.verbs import enqueue

    values = {}
    for word in arguments.values:
        name, equals, value = word.partition("=")
        if not (name and equals and value) or name in values:
            raise InputError(f"values must be NAME=VALUE, each name once, but got {word!r}")
        values[name] = value
    point = enqueue(arguments.folder, values)
    shown = ", ".join(f"{name} {value}" for name, value in point.items())
    when = "next"
    if not is_being_written(arguments.folder):
        when = f"when the search goes on: {resume_command(arguments.folder)}"
    print(f"asked for {shown}; it is tried {when}", file=sys.stderr)
    return 0
