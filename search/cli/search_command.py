"""`chromatune search`: start a search, or go on with one."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import InputError
from models.metrics.unseen import describe_broken_guards
from search.cli.storage_flag import tell_apart, without_secrets
from search.config import DEVICE_NAMES, SYNTHETIC_SOURCE, SearchConfig
from search.progress.time_left import is_worth_saying, rough
from search.ready_searches import ready_searches
from search.run.directory import RunFolder, resume_command
from search.session import SearchSession, new_config
from search.tracking.tracker import TRACKERS

if TYPE_CHECKING:
    from search.progress.display import Progress
    from search.run.ledger import Ledger

#: flags that set the configuration key of the same name
_CONFIG_FLAGS = (
    "images",
    "trials",
    "max_epochs",
    "image_size",
    "batch_size",
    "concurrency",
    "device",
    "trials_per_gpu",
    "time_budget_sec",
    "seed",
    "known_points",
    "finalists",
    "repeats",
    "storage",
    "results",
    "log",
)
#: in the place of trackers: none of those that a configuration names
_NO_TRACKER = "none"


def add_parser(commands: Any) -> None:
    """Add the command to the sub-parsers of `commands`."""
    parser = commands.add_parser(
        "search",
        help="start a search on a folder of photos, or resume one",
        description="Search for the best generator/discriminator pair. Without --images it runs "
        "on built-in synthetic landscapes.",
    )
    parser.set_defaults(run=run)
    source = parser.add_argument_group("photos")
    source.add_argument("--images", metavar="DIR", help="folder of photos, or kaggle:OWNER/NAME")
    source.add_argument("--image-size", type=int, metavar="S", help="pixels a side (128)")
    source.add_argument("--batch-size", type=int, metavar="B", help="photos a step (16)")
    ready = ", ".join(ready_searches())
    run_group = parser.add_argument_group("run")
    run_group.add_argument(
        "--config", type=Path, metavar="FILE", help=f"YAML configuration, or one of {ready}"
    )
    run_group.add_argument("--name", help="name of the run (default: date and time)")
    run_group.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR")
    run_group.add_argument(
        "--describe",
        action="store_true",
        help="start nothing: print the resolved search and about how long and large it gets",
    )
    run_group.add_argument("--resume", action="store_true", help="go on with the run of this name")
    run_group.add_argument("--seed", type=int, metavar="N", help="seed of the search (0)")
    run_group.add_argument(
        "--storage",
        metavar="URI",
        action="append",
        default=[],
        help="database for the Optuna study, such as postgresql://USER@HOST/NAME (default: a "
        "journal in the run's folder), or a place for a copy of the run: an absolute folder, "
        "s3://BUCKET/runs; may be given for each",
    )
    run_group.add_argument(
        "--log",
        action="append",
        choices=(*TRACKERS, _NO_TRACKER),
        help="follow the search in a tracker as well; may be given for each",
    )
    budget = parser.add_argument_group("budget")
    budget.add_argument(
        "--trials",
        type=_count_or_more,
        metavar="N",
        help="trials in all (20); +N with --resume: so many more than the search had",
    )
    budget.add_argument("--max-epochs", type=int, metavar="E", help="epochs a trial (10)")
    budget.add_argument(
        "--time-budget",
        type=parse_duration,
        dest="time_budget_sec",
        metavar="2h",
        help="1h30m, 90s",
    )
    budget.add_argument(
        "--finalists", type=int, metavar="K", help="train the best K again after the search (0)"
    )
    budget.add_argument(
        "--repeats", type=int, metavar="R", help="fresh seeds for each finalist (3)"
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument("--concurrency", type=int, metavar="C", help="trials at the same time")
    machine.add_argument("--device", choices=DEVICE_NAMES)
    machine.add_argument(
        "--trials-per-gpu",
        type=_count_or_auto,
        metavar="K",
        help="trials that share a GPU, or auto (1)",
    )
    machine.add_argument("--address", metavar="ADDR", help="Ray cluster to use: auto or HOST:PORT")
    parser.add_argument(
        "--no-known-points",
        dest="known_points",
        action="store_false",
        default=None,
        help="do not ask configurations first that were good on landscapes",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    from search.progress.display import Progress

    with Progress() as progress:
        progress.wait_for("starting")
        tell_apart(arguments)
        if arguments.describe:
            return _describe(arguments, progress)
        return _search(arguments, progress)


def _describe(arguments: argparse.Namespace, progress: Progress) -> int:
    for flag, given in (("--resume", arguments.resume), ("--address", arguments.address)):
        if given:
            raise InputError(
                f"--describe is of a new search on this machine, but got {flag}; leave it out"
            )
    config = _new_config(arguments)
    from search.run.photos import prepare_photos

    with progress.photos() as on_photo:
        photos = prepare_photos(config, progress=on_photo)
    progress.wait_for("training some steps")
    from search.describe_search import describe_search

    description = describe_search(config, photos)
    progress.stop_waiting()
    sys.stdout.write(description)
    return 0


def _search(arguments: argparse.Namespace, progress: Progress) -> int:
    session = _resumed(arguments) if arguments.resume else _new(arguments)
    opening = None
    if not arguments.resume and session.config.images == SYNTHETIC_SOURCE and not arguments.images:
        count = SYNTHETIC_SOURCE.partition(":")[2]
        opening = f"no --images given: using {count} built-in synthetic landscapes"
    from search.run.storage_errors import SearchHaltedError

    go_on = resume_command(session.folder.path, arguments.address)
    try:
        ledger = session.run(progress, opening=opening)
    except KeyboardInterrupt:
        if not session.resumable:
            raise
        progress.say(f"interrupted; go on with: {go_on}")
        return 130
    except SearchHaltedError as error:
        progress.say(f"chromatune: the search halted: {error}; then go on with: {go_on}")
        return 1
    _say_end(session.folder, ledger, progress)
    return 0


def _say_end(run_folder: RunFolder, ledger: Ledger, progress: Progress) -> None:
    from analysis.leaderboard.on_test_photos import describe_on_test_photos
    from analysis.leaderboard.ranked_trials import build_leaderboard
    from analysis.leaderboard.winners import winners
    from analysis.stored_run.run import open_run

    progress.say(f"done: {len(ledger.ended)} trials")
    stored = open_run(run_folder.path)
    board = build_leaderboard(stored)
    chosen = winners(board, stored.objective)
    progress.say(chosen.why)
    if on_test_photos := describe_on_test_photos(stored, board, chosen):
        progress.say(on_test_photos)
    best = ledger.best
    if best is not None:
        (row,) = board[board["trial_id"] == best.trial_id].to_dict("records")
        metrics = {str(name): value for name, value in row.items()}
        if broken := describe_broken_guards(ledger.objective.guards, metrics):
            progress.say(f"colours of trial {best.trial_id}: {broken}")
    saved, trained = ledger.ended.seconds_saved, ledger.ended.seconds
    if is_worth_saying(saved, trained=trained):
        progress.say(
            f"trained {rough(trained)}; shared beginnings saved {rough(saved)} "
            f"({saved / (trained + saved):.0%})"
        )
    place = shlex.quote(str(run_folder.path))
    progress.say(f"see it with: chromatune leaderboard {place}")
    progress.say(f"take the best colours with: chromatune export {place} --out DIR")


def _new_config(arguments: argparse.Namespace) -> SearchConfig:
    if isinstance(arguments.trials, _More):
        raise InputError(
            f"--trials +{arguments.trials} must come with --resume, as it adds to a search that is "
            f"there; add --resume, or use --trials {arguments.trials}"
        )
    return new_config(arguments.config, _given(arguments, ("name", *_CONFIG_FLAGS)))


def _given(arguments: argparse.Namespace, flags: Sequence[str]) -> dict[str, Any]:
    values = {flag: getattr(arguments, flag) for flag in flags}
    if values["log"] == [_NO_TRACKER]:
        values["log"] = []
    return {flag: value for flag, value in values.items() if value is not None}


def _new(arguments: argparse.Namespace) -> SearchSession:
    return SearchSession.begin(
        _new_config(arguments),
        runs_dir=arguments.runs_dir,
        command=["chromatune", *without_secrets(arguments.words)],
        address=arguments.address,
    )


def _resumed(arguments: argparse.Namespace) -> SearchSession:
    if arguments.name is None:
        raise InputError("--resume must come with --name NAME, but got no name")
    folder = arguments.runs_dir / arguments.name
    if arguments.config:
        raise InputError("a resumed search keeps its configuration, but got --config; leave it out")
    changes = _given(arguments, _CONFIG_FLAGS)
    if isinstance(arguments.trials, _More):
        RunFolder(folder).check_present()
        config = SearchConfig.from_dict(RunFolder(folder).read_config())
        changes["trials"] = config.trials + arguments.trials
    return SearchSession.resume(folder, changes, address=arguments.address)


class _More(int):
    """So many more than there are."""


def _count_or_more(text: str) -> int:
    try:
        return _More(text) if text.startswith("+") else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number or +N: {text!r}") from None


def _count_or_auto(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number or auto: {text!r}") from None


def parse_duration(text: str) -> float:
    """Read `2h`, `90m`, `1h30m` or `45s` as seconds."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text)
    if not match or not any(match.groups()):
        raise argparse.ArgumentTypeError(f"must be a duration such as 2h, 1h30m or 90s: {text!r}")
    hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)
