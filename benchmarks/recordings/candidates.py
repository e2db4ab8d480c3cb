"""Candidates for what a search minimises, as formulas over the measures of one set of photos."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

Measures = Mapping[str, float]
Candidate = Callable[[Measures], float]

#: measures alone; the sign makes smaller better
SINGLE: dict[str, float] = {
    "ab_swd": 1.0,
    "frechet_ab": 1.0,
    "set_swd": 1.0,
    "set_swd_place": 1.0,
    "set_swd_ab": 1.0,
    "set_swd_detail": 1.0,
    "l1": 1.0,
    "delta_e": 1.0,
    "grey_skill": -1.0,
    "ssim": -1.0,
    "psnr": -1.0,
    "colorfulness": -1.0,
}
#: hard guards, and where their penalties start, before the bound
GREY_BOUND, GREY_START = 0.0, 0.05
HF_BOUND, HF_START = 2.0, 1.5


def penalty(measures: Measures) -> float:
    """What nearing or breaking the guards `grey_skill > 0` and `ab_hf_ratio < 2` costs.

    Each is x^2 / (1 + x), where x is 0 at the penalty's start and 1 at the guard's bound: 0 before,
    smooth, 0.5 at the bound, and then nearly straight, so that a wild outlier does not drown what
    the metric says.
    """
    grey = (GREY_START - measures["grey_skill"]) / (GREY_START - GREY_BOUND)
    speckle = math.log(measures["ab_hf_ratio"] / HF_START) / math.log(HF_BOUND / HF_START)
    return sum(x * x / (1.0 + x) for x in (grey, speckle) if x > 0.0)


#: what sums are made of, beside single measures
TERMS: dict[str, Candidate] = {
    "sqrt(frechet_ab)": lambda measures: math.sqrt(measures["frechet_ab"]),
    "|ln ab_hf_ratio|": lambda measures: abs(math.log(measures["ab_hf_ratio"])),
    "penalty": penalty,
}
#: weights of the terms of each sum
SUMS: tuple[dict[str, float], ...] = (
    *(
        {base: 1.0, paired: weight}
        for base in ("set_swd", "set_swd_place", "set_swd_detail")
        for paired in ("ab_swd", "delta_e")
        for weight in (0.1, 0.25, 0.5)
    ),
    {"set_swd": 1.0, "ab_swd": 1.0},
    {"set_swd_place": 1.0, "ab_swd": 1.0},
    {"set_swd": 1.0, "|ln ab_hf_ratio|": 0.25},
    {"set_swd": 1.0, "penalty": 0.1},
    {"set_swd": 1.0, "penalty": 0.25},
    {"set_swd": 1.0, "ab_swd": 0.25, "penalty": 0.1},
    {"set_swd": 1.0, "ab_swd": 0.5, "penalty": 0.1},
    {"ab_swd": 1.0, "penalty": 0.1},
    {"sqrt(frechet_ab)": 1.0, "ab_swd": 0.5},
    {"sqrt(frechet_ab)": 1.0, "delta_e": 0.5},
    {"sqrt(frechet_ab)": 1.0, "penalty": 0.5},
)


def candidates() -> dict[str, Candidate]:
    """All candidates by name; smaller is better."""
    single = {
        name if sign > 0 else f"-{name}": _weighted({name: sign}) for name, sign in SINGLE.items()
    }
    return single | {_name(weights): _weighted(weights) for weights in SUMS}


def n_terms(name: str) -> int:
    """How many terms a candidate has: of two as good, the one with fewer is taken."""
    return name.count(" + ") + 1


def _weighted(weights: Mapping[str, float]) -> Candidate:
    def value(measures: Measures) -> float:
        return sum(
            weight * (TERMS[name](measures) if name in TERMS else measures[name])
            for name, weight in weights.items()
        )

    return value


def _name(weights: Mapping[str, float]) -> str:
    return " + ".join(
        name if weight == 1.0 else f"{weight:g} {name}" for name, weight in weights.items()
    )
