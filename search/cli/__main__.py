"""`python -m search.cli`, where the script `chromatune` is not on the path."""

from search.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
