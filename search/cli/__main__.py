"""`python -m search.cli`, where the script `chromatune` is not on the path."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # The working directory is first, and may hold a `models` of somebody else's.
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from search.cli.main import main

    sys.exit(main())
