"""The command `chromatune`, also as `python -m chromatune`.

It may be run in a folder that holds a `models` or a `search` of somebody else's: `python -m` and
PYTHONPATH may put that folder before ours.
"""

import os
import sys
from pathlib import Path


def main() -> int:
    """Run the command line with our packages first on the path; returns the exit code."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from data_pipeline.parallel import THREAD_ENVIRONMENT
    from search.cli.main import main as run_command

    for name, value in THREAD_ENVIRONMENT.items():
        os.environ.setdefault(name, value)

    return run_command()


if __name__ == "__main__":
    sys.exit(main())
