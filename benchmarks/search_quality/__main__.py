"""Does our search beat chance at equal cost?

    python -m benchmarks.search_quality tables [--seeds 10] [--workers 1 4] [--json FILE]
    python -m benchmarks.search_quality photos --images DIR [--seeds 3] [--rows FILE] [--json FILE]

`tables` looks trainings up that others have run and recorded (see `tables`), so that thousands of
searches take minutes; `photos` trains for real, for an hour or more, and goes on where it was
interrupted when it is given the same `--rows`. Both compare with random search in the same run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.search_quality import photo_summary, photos, table_summary, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    on_tables = commands.add_parser("tables")
    on_tables.add_argument("--seeds", type=int, default=10)
    on_tables.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    on_tables.add_argument(
        "--trainings", type=int, nargs="+", default=[25, 50, 100], help="budgets of random search"
    )
    on_tables.add_argument(
        "--one-seed",
        action="store_true",
        help="searchers see one recorded seed of a training, not the mean; judged by the mean",
    )
    on_tables.add_argument("--tables", nargs="+", choices=tables.NAMES, default=tables.NAMES)
    on_photos = commands.add_parser("photos")
    on_photos.add_argument("--images", required=True)
    on_photos.add_argument("--seeds", type=int, default=3)
    on_photos.add_argument("--image-size", type=int, default=64)
    on_photos.add_argument("--photos", type=int, default=800, help="training photos")
    on_photos.add_argument("--max-epochs", type=int, default=6)
    on_photos.add_argument("--image-budget", type=int, default=60_000, help="of each search")
    on_photos.add_argument("--rows", type=Path, default=Path("search_quality_photos.jsonl"))
    for command in (on_tables, on_photos):
        command.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.command == "tables":
        result = table_summary.run(options)
    else:
        task = photos.PhotoTask(
            images=options.images,
            image_size=options.image_size,
            photos=options.photos,
            max_epochs=options.max_epochs,
            image_budget=options.image_budget,
        )
        result = photo_summary.summarise(photos.run_all(task, options.seeds, options.rows))
        photo_summary.show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
