"""The command line. Its flags, exit codes and what goes to which stream are a contract.

0 done, 2 bad input or usage (one line on standard error), 1 anything else, 130 interrupted.
Heavy packages are imported by the command that needs them, so that bad input is answered at once.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from analysis.stored_run.run_folder_error import RunFolderError
from data_pipeline.errors import InputError
from search import interrupts
from search.cli import (
    colorize_command,
    doctor_command,
    photo_commands,
    results_commands,
    search_command,
    steering_commands,
    train_command,
)
from search.run.directory import program_version


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code. Handlers of signals are the caller's again."""
    with interrupts.installed():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        arguments = parser.parse_args(words)
        arguments.words = words  # what run.json keeps; `sys.argv` may be another program's
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except (InputError, RunFolderError) as error:
        print(f"chromatune: {_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("chromatune: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, RuntimeError) as error:
        if os.environ.get("CHROMATUNE_TRACEBACK"):
            raise
        print(f"chromatune: {type(error).__name__}: {_one_line(error)}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="chromatune",
        description="Search for the generator/discriminator pair that colorizes your photos best.",
    )
    parser.add_argument("--version", action="version", version=program_version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    search_command.add_parser(commands)
    train_command.add_parser(commands)
    steering_commands.add_parsers(commands)
    results_commands.add_parsers(commands)
    photo_commands.add_parsers(commands)
    colorize_command.add_parsers(commands)
    doctor_command.add_parser(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """Usage errors in one line; sub-commands are parsed by the same class."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _one_line(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()


if __name__ == "__main__":
    sys.exit(main())
