"""Which search finds a good colorizer soonest? Searchers, replayed on recorded trainings.

    python -m benchmarks.replay ROWS... [--seeds 500] [--budgets 20 40 60] [--only NAME ...]
                                [--json FILE]

ROWS are those of `benchmarks.recordings`, plans `table` and `near`. A searcher sees the penalized
objective on the photos that choose; its winner (the best epoch so far of all that it has paid for)
is judged by the same on photos that chose nothing. Budgets are multiply-adds: those of so many
whole random trainings, each with its own beginning.

What decides, said before the first replay: the cost after which the median over the seeds of the
winner's value is as good as random search's median at the end of its budget, as a share of that
budget, the mean over the budgets (`cost`; smaller is better). Of searchers whose 90 % bootstrap
intervals over seeds overlap that of the best, the simplest is taken. Shown beside it: the same
against the report's grid; how often the winner at the end is better than random search's at the
end; the kernel distance of ImageNet features at the end of the winner's training, photos at 128
pixels; the same training's value with another seed; what part of all multiply-adds shared
beginnings saved; how many complete trials' discriminators gave up; how often there was nothing left
to try.

A setting that the table itself suggested (start points, a narrower space) is replayed on trainings
that did not suggest it: the table is dealt into halves, and what one half teaches is used on the
other, by all searchers alike. The default space was chosen by looking at all of `table`; it is
replayed on `near`, which was recorded in it afterwards, with start points that `table` teaches.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.recordings.rows import read_rows
from benchmarks.replay.candidates import candidates
from benchmarks.replay.summary import COLUMNS, Replays, Summary, replay, row, summarise
from benchmarks.replay.table import read_table

EPOCHS = 6
REFERENCES = ("random", "report's grid")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--budgets", type=int, nargs="+", default=[20, 40, 60])
    parser.add_argument("--only", nargs="+", help="names of searchers, beside the references")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = read_table(read_rows(options.rows), epochs=EPOCHS)
    print(f"{len(table)} trainings, {options.seeds} seeds, budgets {options.budgets}\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    found: list[Summary] = []
    replays: dict[str, dict[int, Replays]] = {}
    for name, candidate in candidates().items():
        if options.only and name not in (*REFERENCES, *options.only):
            continue
        replays[name] = {
            budget: replay(name, candidate, table, seeds=options.seeds, budget=budget)
            for budget in options.budgets
        }
        if set(REFERENCES) <= set(replays):
            for each in replays if name == REFERENCES[-1] else (name,):
                found.append(summarise(replays[each], *(replays[ref] for ref in REFERENCES)))
                print(row(found[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps([s.to_dict() for s in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
