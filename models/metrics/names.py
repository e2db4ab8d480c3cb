"""The validation metrics: names, what each says, which way is better. Needs no torch.

Formulas and sources stand with the functions in `paired`, `delta_e` and `distributions`.
"""

from __future__ import annotations

from typing import Literal

Direction = Literal["minimize", "maximize"]
#: where a metric is best: at its lowest or highest, at 0 or at 1
Goal = Literal["minimize", "maximize", "zero", "one"]

# In the order of the columns that hold them, a contract: scripts rely on names and order.
_TABLE: dict[str, tuple[Goal, str]] = {
    "l1": (
        "minimize",
        "mean absolute error of a*/127, b*/127; lower is closer, but grey is hard to beat",
    ),
    "grey_skill": ("maximize", "1 - l1 / l1 of all grey; above 0 beats grey"),
    "psnr": ("maximize", "decibels; prefers grey to lively colour"),
    "ssim": ("maximize", "structural similarity; prefers grey to lively colour"),
    "delta_e": ("minimize", "mean CIEDE2000 difference; lower is closer"),
    "colorfulness": ("maximize", "Hasler and Suesstrunk 2003"),
    "colorfulness_gap": (
        "zero",
        "output's colorfulness minus the photos'; 0 is right, below 0 is pale",
    ),
    "chroma_log_ratio": ("zero", "log of output's over the photos' mean chroma; 0 is right"),
    "ab_swd": ("minimize", "sliced Wasserstein distance of the a*b* pixels; lower is better"),
    "frechet_ab": ("minimize", "Frechet distance of the a*b* statistics; lower is better"),
    "ab_hf_ratio": (
        "one",
        "fine detail of a*b*, output over photo; 1 is right, 4 looks pixelated",
    ),
    "set_swd": (
        "minimize",
        "sliced Wasserstein distance of all photos' pixels together; lower is better",
    ),
}
METRICS = tuple(_TABLE)
METRIC_GOALS: dict[str, Goal] = {name: goal for name, (goal, _) in _TABLE.items()}
#: one line for people
METRIC_MEANINGS = {name: meaning for name, (_, meaning) in _TABLE.items()}
#: metrics that a search may optimise; more colorfulness than the photos have is no gain
DIRECTIONS: dict[str, Direction] = {
    name: "maximize" if goal == "maximize" else "minimize"
    for name, goal in METRIC_GOALS.items()
    if goal in ("minimize", "maximize") and name != "colorfulness"
}
