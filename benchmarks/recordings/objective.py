"""Which objective should a search minimise? Recorded generators, asked.

    python -m benchmarks.recordings.objective ROWS... [--ladder LADDER.json] [--image-size 32]

The rule: of the candidates that order every demanded pair of the ladder on both halves and on all
choose photos, the one wins whose values on the choose photos have the highest Spearman correlation
with the judge (kernel distance at 224 px) on the test photos. It is over all recorded generators:
every training against a discriminator as far as it got, and every beginning trained on
reconstruction alone at each of its snapshots. Candidates whose correlation is lower by less than
0.02 count as equal: of these the one with the fewest terms wins, then the one with less noise
between halves. Shown beside it, and deciding nothing: the correlation within branches of one
beginning, that of a half of the photos alone, among the better half by the judge, with the
paired feature distance, the regret of picking one of 20 by it, and intervals of 90 %.

Rule and ladder were written before the first table. That the judge sees photos at 224 px, not at
the 128 of the recorder, was settled after it, when the two were found to rank 40 generators with a
correlation of 0.84 only; so were the weights of the sums.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.recordings.agreement import (
    FloatArray,
    Interval,
    mean_regret,
    relative_noise,
    resamples,
    spearman,
    spearman_interval,
    within,
)
from benchmarks.recordings.candidates import Candidate, Measures, candidates, n_terms
from benchmarks.recordings.judge import FULL_SIDE, SIDE
from benchmarks.recordings.ladder import DEMANDED
from benchmarks.recordings.rows import Row, read_rows

GROUPS = ("metrics", "candidates", "judge")
KINDS = ("branch", "beginning")
#: correlations that differ by less are equal
EQUAL = 0.02
COLUMNS = (
    "candidate",
    "Spearman with the judge (90 %)",
    "within a beginning",
    "half of the photos",
    "better half",
    "with paired distance",
    "halves agree",
    "noise",
    "regret of 20",
    "ladder",
)


class Standing(NamedTuple):
    """What was found of a candidate."""

    name: str
    correlation: Interval
    within: float
    #: correlation of each half's value with the judge, their mean
    half: float
    better_half: float
    paired: float
    #: rank correlation between the two halves of the choose photos
    agreement: float
    noise: float
    regret: float
    #: demanded pairs of the ladder in the wrong order, on any of the three sets
    violations: tuple[str, ...]


def measures(groups: dict[str, dict[str, list[float]]], index: int) -> dict[str, float]:
    """All measures of one set of photos, by name."""
    return {
        name: values[index] for group in GROUPS for name, values in groups.get(group, {}).items()
    }


def last_epochs(rows: Sequence[Row], *, image_size: int, kinds: Sequence[str]) -> list[Row]:
    """The last row of each training: a branch as far as it got, a beginning at each snapshot."""
    found: dict[str, Row] = {}
    for row in rows:
        right = row["kind"] in kinds and row["settings"]["image_size"] == image_size
        if row["last"] and right and "failed" not in row:
            stage = [row["settings"], row["end"] if row["kind"] == "beginning" else 0]
            found[json.dumps(stage, sort_keys=True)] = row
    return list(found.values())


def beginning_of(row: Row) -> str:
    """What branches of one beginning share."""
    names = ("generator_complexity", "generator_lr", "smooth_upsampling", "seed")
    return json.dumps([row["settings"][name] for name in names])


def study(rows: Sequence[Row], ladder: dict, *, suffix: str = "") -> list[Standing]:
    """Every candidate, best correlation first; `suffix` ends the names of the judge's columns."""
    by_set = {name: i for i, name in enumerate(rows[0]["sets"])}
    of = {name: [measures(row, i) for row in rows] for name, i in by_set.items()}
    judged = column(of["test"], lambda m: m[f"kid{suffix}"])
    paired = column(of["test"], lambda m: m[f"feature_distance{suffix}"])
    groups = [beginning_of(row) for row in rows]
    draws = resamples(groups)
    better = judged <= np.median(judged)
    found = []
    for name, candidate in candidates().items():
        a, b, choose = (column(of[s], candidate) for s in ("choose_a", "choose_b", "choose"))
        found.append(
            Standing(
                name=name,
                correlation=spearman_interval(choose, judged, draws),
                within=within(choose, judged, groups),
                half=0.5 * (spearman(a, judged) + spearman(b, judged)),
                better_half=spearman(choose[better], judged[better]),
                paired=spearman(choose, paired),
                agreement=spearman(a, b),
                noise=relative_noise(a, b),
                regret=mean_regret(choose, judged),
                violations=violations(candidate, ladder),
            )
        )
    return sorted(found, key=lambda standing: -standing.correlation.value)


def column(of: Sequence[Measures], candidate: Callable[[Measures], float]) -> FloatArray:
    """A candidate's value of each generator."""
    return np.array([candidate(each) for each in of])


def violations(candidate: Candidate, ladder: dict) -> tuple[str, ...]:
    """Demanded pairs that a candidate has in the wrong order on a half or on both."""
    chosen = [i for i, name in enumerate(ladder["sets"]) if name.startswith("choose")]
    rungs = ladder["rungs"]
    wrong = []
    for lower, higher in DEMANDED:
        pairs = [
            (_rung(candidate, rungs[lower], i), _rung(candidate, rungs[higher], i)) for i in chosen
        ]
        if not all(low < high for low, high in pairs):
            wrong.append(f"{lower} < {higher}")
    return tuple(wrong)


def _rung(candidate: Candidate, rung: dict, index: int) -> float:
    return candidate(measures(rung, index))


def winner(found: Sequence[Standing]) -> Standing | None:
    """By the rule at the top; None if no candidate orders the ladder."""
    allowed = [standing for standing in found if not standing.violations]
    if not allowed:
        return None
    best = max(standing.correlation.value for standing in allowed)
    equal = [s for s in allowed if s.correlation.value > best - EQUAL]
    return min(equal, key=lambda s: (n_terms(s.name), s.noise))


def markdown(found: Sequence[Standing], ladder: dict, n: int) -> str:
    """The tables of the study."""
    lines = [
        f"{n} generators.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
    ]
    lines += [
        f"| {s.name.replace('|', 'abs ', 1).replace('|', '', 1)} | {s.correlation} "
        f"| {s.within:.2f} | {s.half:.2f} | {s.better_half:.2f} | {s.paired:.2f} "
        f"| {s.agreement:.2f} | {s.noise:.2f} | {s.regret:.1f} "
        f"| {'; '.join(s.violations) or 'in order'} |"
        for s in found
    ]
    names = (*ladder["rungs"]["truth"]["judge"], *(s.name for s in found if n_terms(s.name) == 1))
    lines += ["", "| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    index = ladder["sets"].index("choose")
    for rung, groups in ladder["rungs"].items():
        values = measures(groups, index)
        cells = [
            f"{-values[name[1:]]:.3g}" if name.startswith("-") else f"{values[name]:.3g}"
            for name in names
        ]
        lines.append(f"| {rung} | " + " | ".join(cells) + " |")
    chosen = winner(found)
    lines += ["", f"By the rule: {chosen.name if chosen else 'none orders the ladder'}."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--ladder", type=Path)
    parser.add_argument("--judge", type=int, choices=(SIDE, FULL_SIDE), default=FULL_SIDE)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    options = parser.parse_args()
    data = Path(__file__).parent / "data"
    ladder_path = options.ladder or data / f"ladder-{options.image_size}.json"
    ladder = json.loads(ladder_path.read_text())
    recorded = read_rows(options.rows)
    rows = last_epochs(recorded, image_size=options.image_size, kinds=options.kinds)
    suffix = "" if options.judge == SIDE else f"_{options.judge}"
    rows = [row for row in rows if f"kid{suffix}" in row["judge"]]
    print(markdown(study(rows, ladder, suffix=suffix), ladder, len(rows)))


if __name__ == "__main__":
    main()
