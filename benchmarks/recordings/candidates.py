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
#: where the penalty of the guard `grey_skill > 0` starts, before the bound, and the bound
GREY_START, GREY_BOUND = 0.05, 0.0
#: where that of the guard `ab_hf_ratio < 2` starts, at as much fine detail as in photos, and the
#: bound
SPECKLE_START, SPECKLE_BOUND = 1.0, 2.0


def grey_penalty(measures: Measures) -> float:
    """What nearing or breaking `grey_skill > 0` costs: 0 at the start, 0.5 at the bound."""
    return _hinge((GREY_START - measures["grey_skill"]) / (GREY_START - GREY_BOUND))


def speckle_penalty(measures: Measures) -> float:
    """What nearing or breaking `ab_hf_ratio < 2` costs: 0 at the start, 0.5 at the bound."""
    excess = math.log(measures["ab_hf_ratio"] / SPECKLE_START)
    return _hinge(excess / math.log(SPECKLE_BOUND / SPECKLE_START))


def _hinge(x: float) -> float:
    """0 below 0, smooth, and soon nearly straight: an outlier does not drown the metric."""
    return x * x / (1.0 + x) if x > 0.0 else 0.0


#: what sums are made of, beside single measures
TERMS: dict[str, Candidate] = {
    "sqrt(frechet_ab)": lambda measures: math.sqrt(measures["frechet_ab"]),
    "|ln ab_hf_ratio|": lambda measures: abs(math.log(measures["ab_hf_ratio"])),
    "grey": grey_penalty,
    "speckle": speckle_penalty,
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
    *(
        {base: 1.0, "grey": grey, "speckle": speckle}
        for base in ("set_swd_detail", "set_swd", "sqrt(frechet_ab)", "ab_swd")
        for grey, speckle in ((0.1, 0.5), (0.1, 1.0), (0.1, 2.0), (0.25, 1.0))
    ),
    {"set_swd_detail": 1.0, "speckle": 1.0},
    *(
        {
            "set_swd_detail": 1.0,
            "delta_e": weight,
            **({"grey": grey} if grey else {}),
            "speckle": 1.0,
        }
        for weight in (0.1, 0.15, 0.25, 0.5)
        for grey in (0.0, 0.1)
    ),
    {"set_swd_place": 1.0, "ab_swd": 0.25, "speckle": 1.0},
    {"set_swd_detail": 1.0, "ab_swd": 0.25, "grey": 0.1, "speckle": 1.0},
    {"sqrt(frechet_ab)": 1.0, "ab_swd": 0.5},
    {"sqrt(frechet_ab)": 1.0, "delta_e": 0.5},
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
