"""Images a second of 1, 2, 4 and 8 trainings that share the device, against one and the plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.gpu.cases import cases, settings_of
from benchmarks.gpu.steps import plain_step_sec
from models.accelerator.packing import COUNTS, train_together

#: a minute each, with the starts of 15 processes
_SECONDS = 4.0


def measure(device: str, *, tiny: bool) -> Iterator[dict[str, Any]]:
    seconds = 0.1 if tiny else _SECONDS
    for case in cases(tiny=tiny)[-2:]:
        plain = case[3] / plain_step_sec(case, device, seconds=seconds)
        rates: dict[int, float | None] = {}
        for count in COUNTS[:2] if tiny else COUNTS:
            rates[count] = train_together(
                settings_of(case, "auto"), count, device=device, seconds=seconds
            )
        one, best = rates[1], max(rate or 0.0 for rate in rates.values())
        yield {
            "case": case,
            "plain_images_per_sec": plain,
            "images_per_sec": rates,
            "best_over_one": best / one if one else None,
            "best_over_plain": best / plain,
        }
